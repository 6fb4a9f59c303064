using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmGateway.Contracts;

/// <summary>
/// An amount of US dollars in nano-dollars (1 USD = 10^9). On the wire it is a decimal string; a JSON number is read from its raw token.
/// Arithmetic is done on <see cref="Nanos"/> in checked context, so that an overflow throws and never wraps.
/// </summary>
[JsonConverter(typeof(MoneyJson))]
public readonly record struct Money(long Nanos)
{
    /// <summary>Decimals of a dollar that an amount may have.</summary>
    public const int Decimals = 9;

    public const long NanosPerUsd = 1_000_000_000;

    public static Money Zero => default;

    public static Money Usd(long dollars) => new(checked(dollars * NanosPerUsd));

    /// <summary>Reads <c>"8.333333333"</c>; throws <see cref="FormatException"/>. For constants and configuration; callers' input goes through JSON.</summary>
    public static Money Parse(string text) =>
        DecimalText.TryParse(text, Decimals, out var nanos, out var reason) ? new(nanos) : throw new FormatException($"'{text}' {reason}");

    public override string ToString() => DecimalText.Format(Nanos, Decimals);
}

/// <summary>Strings and numbers alike; errors surface as <see cref="JsonException"/>, whose path names the field.</summary>
public sealed class MoneyJson : JsonConverter<Money>
{
    public override Money Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new(DecimalJson.Read(ref reader, Money.Decimals));

    public override void Write(Utf8JsonWriter writer, Money value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

/// <summary>Reads a decimal from a JSON string or from the raw characters of a JSON number, so that no digit is lost on the way.</summary>
public static class DecimalJson
{
    public static long Read(ref Utf8JsonReader reader, int scale)
    {
        if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.Number))
            throw new JsonValueException("must be a decimal number");
        var raw = reader.ValueSpan;
        if (raw.Length > DecimalText.MaxLength)
            throw new JsonValueException("must be a decimal number");
        Span<char> text = stackalloc char[DecimalText.MaxLength];
        for (var i = 0; i < raw.Length; i++)
            text[i] = (char)raw[i];
        return DecimalText.TryParse(text[..raw.Length], scale, out var value, out var reason) ? value : throw new JsonValueException(reason);
    }
}
