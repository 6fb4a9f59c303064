using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>A limit as its owner writes it, in a seed file or over HTTP. <see cref="LimitRules"/> says what it may be.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record LimitRequest(string Unit, DecimalAmount Amount, CycleLength Cycle)
{
    /// <summary>Without it the limit is the one that counts the same, or a new one.</summary>
    public string? Id { get; init; }
    /// <summary>A local date or time at which a cycle begins; <see cref="Cycles.DefaultAnchor"/> when absent.</summary>
    public string? Anchor { get; init; }
    /// <summary>UTC when absent.</summary>
    public string? TimeZone { get; init; }
    public LimitSelector? Selector { get; init; }
}

/// <summary>Which requests count: those that match in every member that is there. Without members every request does.</summary>
/// <param name="Keys">Ids of the customer's keys, or their names.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record LimitSelector(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Models = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Keys = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<Unsupported>? Members = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<Unsupported>? Tags = null);

/// <summary>A decimal number as it was written. Its unit decides how many decimals it may have.</summary>
[JsonConverter(typeof(DecimalAmountJson))]
public readonly record struct DecimalAmount(string Text);

public sealed class DecimalAmountJson : JsonConverter<DecimalAmount>
{
    public override DecimalAmount Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType is JsonTokenType.String or JsonTokenType.Number && reader.ValueSpan.Length <= DecimalText.MaxLength
            ? new(Encoding.Latin1.GetString(reader.ValueSpan))
            : throw new JsonValueException("must be a decimal number");

    public override void Write(Utf8JsonWriter writer, DecimalAmount value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Text);
}

/// <summary>The length of a cycle, as it was written: a name such as <c>month</c>, or <c>{"days": 10}</c>.</summary>
/// <param name="Name">Null for a number of days.</param>
[JsonConverter(typeof(CycleLengthJson))]
public readonly record struct CycleLength(CycleUnit Unit, int Count, string? Name)
{
    const string Days = "days:";

    static readonly Dictionary<string, CycleLength> Named = ((CycleLength[])
    [
        new(CycleUnit.Hour, 1, "hour"), new(CycleUnit.Day, 1, "day"), new(CycleUnit.Day, 7, "week"), new(CycleUnit.Month, 1, "month"),
        new(CycleUnit.Month, 3, "quarter"), new(CycleUnit.Month, 12, "year"),
    ]).ToDictionary(length => length.Name!);

    /// <summary>As it is stored.</summary>
    public string Text => Name ?? FormattableString.Invariant($"{Days}{Count}");

    public static bool TryName(string name, out CycleLength length) => Named.TryGetValue(name, out length);

    public static CycleLength OfDays(int count) => new(CycleUnit.Day, count, null);

    /// <summary>Reads what <see cref="Text"/> wrote.</summary>
    public static CycleLength Parse(string text) =>
        TryName(text, out var named) ? named : OfDays(int.Parse(text.AsSpan(Days.Length), CultureInfo.InvariantCulture));
}

public sealed class CycleLengthJson : JsonConverter<CycleLength>
{
    const string Days = "days";

    static JsonValueException Refused => new(
        $$"""must be hour, day, week, month, quarter, year or {"{{Days}}": n} with n from 1 to {{Cycles.MaxDays}}""");

    public override CycleLength Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        var value = document.RootElement;
        return value.ValueKind switch
        {
            JsonValueKind.String when CycleLength.TryName(value.GetString()!, out var named) => named,
            JsonValueKind.Object when value.EnumerateObject().ToList() is [{ Name: Days, Value: { ValueKind: JsonValueKind.Number } days }]
                && days.TryGetInt32(out var count) && count is > 0 and <= Cycles.MaxDays => CycleLength.OfDays(count),
            _ => throw Refused,
        };
    }

    public override void Write(Utf8JsonWriter writer, CycleLength value, JsonSerializerOptions options)
    {
        if (value.Name is { } name)
        {
            writer.WriteStringValue(name);
            return;
        }
        writer.WriteStartObject();
        writer.WriteNumber(Days, value.Count);
        writer.WriteEndObject();
    }
}
