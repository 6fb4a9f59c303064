using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;

namespace LlmGateway.ServiceDefaults;

public enum JsonMistakeKind
{
    /// <summary>A wrong type, a value of no meaning, or no JSON at all.</summary>
    Other,
    /// <summary>A member is twice in one object.</summary>
    Duplicate,
    /// <summary>A required member is absent.</summary>
    Missing,
    /// <summary>A member that the type does not have.</summary>
    Unknown,
    /// <summary>A value is null.</summary>
    Null,
}

/// <summary>
/// The mistake in a JSON text that the serializer refused. The serializer gives the place as a path, but the mistake only in prose, which
/// may change with every version of .NET. So the place is looked up in the text and compared with the metadata of its type.
/// </summary>
/// <param name="Name">The missing member. Null for other mistakes.</param>
public readonly partial record struct JsonMistake(JsonMistakeKind Kind, string? Name = null)
{
    public static JsonMistake Of(JsonException e, ReadOnlySpan<byte> json, JsonTypeInfo root)
    {
        if (e.InnerException is not null || e.Path is null)
            return default;
        var reader = new Utf8JsonReader(json);
        if (!JsonDocument.TryParseValue(ref reader, out var document))
            return default;
        using (document)
            return At(e.Path, document.RootElement, root);
    }

    static JsonMistake At(string path, JsonElement value, JsonTypeInfo? type)
    {
        var isKnown = true;
        foreach (Match step in Step().Matches(path))
        {
            if (step.Groups["index"] is { Success: true } index)
            {
                (value, type) = (value[int.Parse(index.ValueSpan, CultureInfo.InvariantCulture)], Element(type));
                continue;
            }
            var name = step.Groups["name"].Value;
            var comparer = Comparer(type);
            var found = value.EnumerateObject().Where(member => comparer.Equals(member.Name, name)).ToList();
            if (found.Count != 1)
                return found.Count > 1 ? new(JsonMistakeKind.Duplicate) : default;
            isKnown = !HasMembers(type) || Member(type!, name) is not null;
            (value, type) = (found[0].Value, HasMembers(type) ? Info(type!, Member(type!, name)?.PropertyType) : Element(type));
        }
        if (!isKnown)
            return new(JsonMistakeKind.Unknown);
        if (value.ValueKind == JsonValueKind.Null)
            return new(JsonMistakeKind.Null);
        if (HasMembers(type))
            return value.ValueKind == JsonValueKind.Object && Missing(value, type!) is { } missing
                ? new(JsonMistakeKind.Missing, missing)
                : default;
        return Repeats(value) ? new(JsonMistakeKind.Duplicate) : default;
    }

    /// <summary>The last required member that is absent.</summary>
    static string? Missing(JsonElement value, JsonTypeInfo type)
    {
        var given = value.EnumerateObject().Select(member => member.Name).ToHashSet(Comparer(type));
        return type.Properties.LastOrDefault(member => member.IsRequired && !given.Contains(member.Name))?.Name;
    }

    /// <summary>
    /// True when an object in the value has a member twice. The value has no type of ours, so there is no metadata to compare it with.
    /// </summary>
    static bool Repeats(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().CountBy(member => member.Name).Any(name => name.Value > 1)
            || value.EnumerateObject().Any(member => Repeats(member.Value)),
        JsonValueKind.Array => value.EnumerateArray().Any(Repeats),
        _ => false,
    };

    static bool HasMembers(JsonTypeInfo? type) => type is { Kind: JsonTypeInfoKind.Object };

    static JsonPropertyInfo? Member(JsonTypeInfo type, string name) =>
        type.Properties.FirstOrDefault(member => Comparer(type).Equals(member.Name, name));

    static JsonTypeInfo? Element(JsonTypeInfo? type) => type is null ? null : Info(type, type.ElementType);

    static JsonTypeInfo? Info(JsonTypeInfo of, Type? type) =>
        type is null ? null : of.Options.GetTypeInfo(Nullable.GetUnderlyingType(type) ?? type);

    static StringComparer Comparer(JsonTypeInfo? type) =>
        HasMembers(type) && type!.Options.PropertyNameCaseInsensitive ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal;

    /// <summary>A step of a path as the serializer writes it: <c>.name</c>, <c>['a name']</c>, <c>[2]</c>.</summary>
    [GeneratedRegex(@"\.(?<name>[^.\[]+)|\['(?<name>.*?)'\]|\[(?<index>\d+)\]")]
    private static partial Regex Step();
}
