using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Gemini;

/// <summary>The parts of an answer that are neither words nor calls.</summary>
static class GeminiMedia
{
    /// <summary>True for members that say something of a part and have none of the answer.</summary>
    public static bool IsRemark(ReadOnlySpan<byte> member) =>
        member.SequenceEqual("videoMetadata"u8) || member.SequenceEqual("partMetadata"u8) || member.SequenceEqual("mediaResolution"u8);

    /// <summary><c>inlineData</c> or <c>fileData</c>. Only images have a place on other wires.</summary>
    public static AnswerEvent ReadImage(ref Utf8JsonReader reader)
    {
        string? type = null, data = null, address = null;
        while (reader.NextMember())
        {
            var (isType, isData, isAddress) = (reader.Has("mimeType"u8), reader.Has("data"u8), reader.Has("fileUri"u8));
            reader.Read();
            if (isType)
                type = reader.Text();
            else if (isData)
                data = reader.Text();
            else if (isAddress)
                address = reader.Text();
            reader.StepOver();
        }
        if (type?.StartsWith("image/", StringComparison.OrdinalIgnoreCase) == true && (data ?? address) is { Length: > 0 } image)
            return AnswerEvent.Picture(data is null ? null : type, image);
        return AnswerEvent.Unread($"a file of the type '{type}'");
    }

    /// <summary><c>executableCode</c> or <c>codeExecutionResult</c>, as the words in which a model of another wire would say it.</summary>
    public static string? ReadCode(ref Utf8JsonReader reader)
    {
        string? language = null, text = null;
        while (reader.NextMember())
        {
            var (isLanguage, isText) = (reader.Has("language"u8), reader.Has("code"u8) || reader.Has("output"u8));
            reader.Read();
            if (isLanguage)
                language = reader.Text().ToLowerInvariant();
            else if (isText)
                text = reader.Text();
            reader.StepOver();
        }
        return text is null ? null : $"\n```{language}\n{text.TrimEnd('\n')}\n```\n";
    }
}
