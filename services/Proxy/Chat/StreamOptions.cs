using System.Text.Json;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Chat;

/// <summary>The member <c>stream_options</c> of a request, and how usage is asked for in the provider's stream where the caller did not.</summary>
/// <param name="Value">An object or null.</param>
/// <param name="IncludeUsage">The value of <c>include_usage</c> in it.</param>
/// <param name="AsksForUsage">That value is true.</param>
readonly record struct StreamOptions(ModelRequest.Place Value, bool IsObject, bool IsEmpty, ModelRequest.Place IncludeUsage, bool AsksForUsage)
{
    public static StreamOptions Read(ref StrictJson json)
    {
        var options = new StreamOptions { Value = new(json.Start, json.End - json.Start) };
        if (json.Token == JsonTokenType.Null)
            return options;
        if (json.Token != JsonTokenType.StartObject)
            throw Invalid("stream_options", "must be an object");
        options = options with { IsObject = true, IsEmpty = true };
        ReadOnlySpan<byte> name = default;
        while (json.NextMember(ref name))
        {
            options = options with { IsEmpty = false };
            if (name.SequenceEqual("include_usage"u8))
                options = options with { AsksForUsage = json.ReadBool("stream_options.include_usage"), IncludeUsage = new(json.Start, json.End - json.Start) };
            json.Skip();
        }
        return options;
    }

    /// <param name="closing">Offset of the brace that ends the body.</param>
    public void AskForUsage(ByteEdits edits, int closing)
    {
        if (IncludeUsage.Length > 0)
            edits.Replace(IncludeUsage.Start, IncludeUsage.Length, "true"u8.ToArray());
        else if (IsObject)
            edits.Insert(Value.Start + 1, (IsEmpty ? "\"include_usage\":true"u8 : "\"include_usage\":true,"u8).ToArray());
        else if (Value.Length > 0)
            edits.Replace(Value.Start, Value.Length, "{\"include_usage\":true}"u8.ToArray());
        else
            edits.Insert(closing, ",\"stream_options\":{\"include_usage\":true}"u8.ToArray());
    }
}
