using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmGateway.Contracts;

/// <summary>
/// An amount of US dollars in nano-dollars (1 USD = 10^9). On the wire it is a decimal string; a JSON number is read from its raw token.
/// Arithmetic uses <see cref="Nanos"/> in checked context, so that an overflow throws.
/// </summary>
[JsonConverter(typeof(MoneyJson))]
public readonly record struct Money(long Nanos)
{
    /// <summary>Decimals of a dollar that an amount may have.</summary>
    public const int Decimals = 9;

    public const long NanosPerUsd = 1_000_000_000;

    /// <summary>10^-18 dollars in a nano-dollar: picos per million units times units are 10^-18 dollars.</summary>
    public const long AttosPerNano = 1_000_000_000;

    public static Money Zero => default;

    /// <summary>
    /// The rounding of every price: up to the next nano-dollar, once for the whole sum. What is too large for an amount is the caller's.
    /// </summary>
    /// <param name="attos">In 10^-18 dollars; not negative.</param>
    public static Int128 NanosOf(Int128 attos) => (attos + (AttosPerNano - 1)) / AttosPerNano;

    public static Money Usd(long dollars) => new(checked(dollars * NanosPerUsd));

    /// <summary>
    /// Reads <c>"8.333333333"</c>; throws <see cref="FormatException"/>. For constants and configuration; callers' input is read as JSON.
    /// </summary>
    public static Money Parse(string text) =>
        DecimalText.TryParse(text, Decimals, out var nanos, out var reason) ? new(nanos) : throw new FormatException($"'{text}' {reason}");

    public override string ToString() => DecimalText.Format(Nanos, Decimals);
}

/// <summary>Reads strings and numbers. Errors surface as <see cref="JsonException"/>, whose path names the field.</summary>
public sealed class MoneyJson : JsonConverter<Money>
{
    public override Money Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new(DecimalJson.Read(ref reader, Money.Decimals));

    public override void Write(Utf8JsonWriter writer, Money value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
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
        return DecimalText.TryParse(text[..raw.Length], scale, out var value, out var reason)
            ? value
            : throw new JsonValueException(reason);
    }
}
