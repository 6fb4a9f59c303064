using System.Text.Json;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>A percentage from 0 to 1000 with up to four decimals, as parts per million.</summary>
[JsonConverter(typeof(PercentJson))]
public readonly record struct Percent(long Ppm)
{
    public const int Decimals = 4;
    public const long MaxPpm = 10_000_000;
}

public sealed class PercentJson : JsonConverter<Percent>
{
    public override Percent Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var ppm = DecimalJson.Read(ref reader, Percent.Decimals);
        return ppm is >= 0 and <= Percent.MaxPpm ? new(ppm) : throw new JsonValueException("must be from 0 to 1000");
    }

    public override void Write(Utf8JsonWriter writer, Percent value, JsonSerializerOptions options) =>
        writer.WriteStringValue(DecimalText.Format(value.Ppm, Percent.Decimals));
}

/// <summary>
/// An entry of a member whose feature does not exist yet. The name is known so that the refusal can say so.
/// </summary>
[JsonConverter(typeof(UnsupportedJson))]
public readonly record struct Unsupported;

public sealed class UnsupportedJson : JsonConverter<Unsupported>
{
    public override Unsupported Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        reader.Skip();
        return default;
    }

    public override void Write(Utf8JsonWriter writer, Unsupported value, JsonSerializerOptions options) =>
        throw new NotSupportedException("seed files are only read");
}
