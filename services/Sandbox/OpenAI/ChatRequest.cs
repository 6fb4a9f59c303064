using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>A chat completion request as OpenAI reads it. Of duplicate members the last one counts.</summary>
/// <param name="HasStreamOptions">Whether <c>stream_options</c> is there at all.</param>
/// <param name="IncludesUsage">Whether the stream is to end with the usage.</param>
public sealed record ChatRequest(Question Question, bool Streams, bool HasStreamOptions, bool IncludesUsage)
{
    /// <summary>What any part of a message costs that is not text, such as an image.</summary>
    public const int TokensOfOtherParts = 85;

    const int MaxChoices = 128;

    /// <summary>Reads a body; exactly one of the two is null.</summary>
    public static (ChatRequest? Request, OpenAIError? Error) Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var fields = new ChatFields(document.RootElement);
            var request = Parse(fields);
            return fields.Error is null ? (request, null) : (null, fields.Error);
        }
        // A lone surrogate or broken UTF-8 inside a string shows only when the string is read, as InvalidOperationException.
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return (null, OpenAIError.Invalid("We could not parse the JSON body of your request. The OpenAI API expects a JSON payload."));
        }
    }

    static ChatRequest Parse(ChatFields fields)
    {
        var model = fields.RequiredText("model");
        var messages = fields.RequiredArray("messages");
        var (promptTokens, lastUserText) = ReadMessages(messages, fields);

        var streams = fields.Flag("stream");
        if (fields.Has("stream_options") && !streams)
        {
            fields.Fail("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options");
        }
        var question = new Question(
            model,
            Fingerprint(model, messages),
            promptTokens,
            Markers.Read(lastUserText),
            fields.WholeNumber("n", 1, MaxChoices) ?? 1,
            ReadLimit(fields),
            fields.Array("tools")?.GetArrayLength() > 0 && fields.Text("tool_choice") != "none",
            fields.Text("response_format.type") is "json_object" or "json_schema");
        return new(question, streams, fields.Has("stream_options"), fields.Flag("stream_options.include_usage"));
    }

    static int? ReadLimit(ChatFields fields)
    {
        var maxTokens = fields.WholeNumber("max_tokens", 1, int.MaxValue);
        var maxCompletionTokens = fields.WholeNumber("max_completion_tokens", 1, int.MaxValue);
        if (maxTokens is not null && maxCompletionTokens is not null)
        {
            const string message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
            fields.Fail(message, "max_tokens", "invalid_parameter_combination");
        }
        return maxCompletionTokens ?? maxTokens;
    }

    static (int Tokens, string LastUserText) ReadMessages(JsonElement messages, ChatFields fields)
    {
        var tokens = 0;
        var lastUserText = "";
        foreach (var (index, message) in messages.EnumerateArray().Index())
        {
            if (TextMember(message, "role") is not { } role)
            {
                var path = $"messages[{index}].role";
                fields.Fail($"Missing required parameter: '{path}'.", path, "missing_required_parameter");
                break;
            }
            var (messageTokens, text) = ReadContent(message);
            tokens += messageTokens;
            lastUserText = role == "user" ? text : lastUserText;
        }
        return (tokens, lastUserText);
    }

    static (int Tokens, string Text) ReadContent(JsonElement message)
    {
        if (TextMember(message, "content") is { } whole)
        {
            return (Words.Count(whole), whole);
        }
        if (!message.TryGetProperty("content", out var content) || content.ValueKind != JsonValueKind.Array)
        {
            return (0, "");
        }
        var texts = content.EnumerateArray().Select(part => TextMember(part, "text")).ToArray();
        var tokens = texts.Sum(text => text is null ? TokensOfOtherParts : Words.Count(text));
        return (tokens, string.Join('\n', texts.OfType<string>()));
    }

    static string? TextMember(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty(name, out var member)
        && member.ValueKind == JsonValueKind.String
            ? member.GetString()
            : null;

    static string Fingerprint(string model, JsonElement messages)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(model));
        hash.AppendData(JsonMarshal.GetRawUtf8Value(messages));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
