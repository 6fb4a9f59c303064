using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Says what a caller is told when a provider refuses or fails, on any wire. The caller's own mistakes are told in the provider's words.
/// Ours are told in words of our own, because the provider's may show secrets.
/// </summary>
public static class UpstreamErrors
{
    /// <summary>Longest provider message that is passed on, in characters.</summary>
    public const int MaxMessage = 2000;

    const int MaxRetryAfter = 3600;

    public static readonly Problem Unreachable = Problems.Upstream(502, "upstream_unreachable", "The provider could not be reached.");
    public static readonly Problem NotPublic = Unreachable with
    {
        Message = "The provider could not be reached: its address is not a public one.",
    };
    public static readonly Problem TimedOut = Problems.Upstream(504, "upstream_timeout", "The provider did not answer in time.");
    public static readonly Problem Interrupted = Problems.Upstream(502, "upstream_interrupted", "The provider broke off its answer.");
    public static readonly Problem Malformed = Problems.Upstream(
        502, "upstream_malformed", "The provider's answer is not what was asked for.");

    const string AskOperator = "Ask the operator to check the provider connection.";

    static readonly Problem NoCredit = Problems.Upstream(
        502, "upstream_quota", "The gateway's account at the provider has no credit. " + AskOperator);
    static readonly Problem RefusedKey = Problems.Upstream(
        502, "upstream_auth", "The provider refused the gateway's credentials. " + AskOperator);

    /// <summary>What a caller is told of a refusal, without the provider's secrets.</summary>
    /// <param name="response">With any status but 2xx.</param>
    /// <param name="body">The beginning of its content.</param>
    public static Problem Of(Upstream upstream, HttpResponseMessage response, ReadOnlySpan<byte> body) => Map(
        (int)response.StatusCode, upstream.Secrets.Hide(body), (int?)response.Headers.RetryAfter?.Delta?.TotalSeconds);

    /// <param name="status">The provider's status, any but 2xx.</param>
    /// <param name="body">The beginning of the answer, JSON or not. Its secrets are hidden.</param>
    /// <param name="retryAfterSeconds">Its <c>Retry-After</c>, if it sent one in seconds.</param>
    public static Problem Map(int status, ReadOnlySpan<byte> body, int? retryAfterSeconds)
    {
        var wait = retryAfterSeconds is { } seconds ? Math.Clamp(seconds, 0, MaxRetryAfter) : (int?)null;
        return status switch
        {
            // Anthropic reports 402 this way.
            400 when body.IndexOf("credit balance is too low"u8) >= 0 => NoCredit,
            // Google reports an unknown key this way. It is not the caller's mistake.
            400 when body.IndexOf("API_KEY_INVALID"u8) >= 0 => RefusedKey,
            400 or 404 or 413 or 422 => Pass(status, body),
            // The body may show parts of the provider key, so the caller does not see it.
            401 or 403 => RefusedKey,
            402 => NoCredit,
            429 => Problems.Upstream(429, "upstream_rate_limited", "The provider's rate limit is reached. Try again later.", wait ?? 1),
            408 or 504 => TimedOut,
            503 or 529 => Problems.Upstream(503, "upstream_error", $"The provider is overloaded or down ({status}).", wait ?? 1),
            _ => Problems.Upstream(502, "upstream_error", $"The provider failed ({status})."),
        };
    }

    /// <summary>
    /// True when a provider does not know <c>stream_options</c>, by which the gateway asks for usage. The request is then sent again
    /// without it.
    /// </summary>
    public static bool RefusesUsage(int status, ReadOnlySpan<byte> body) =>
        status is 400 or 422 && (body.IndexOf("stream_options"u8) >= 0 || body.IndexOf("include_usage"u8) >= 0);

    /// <summary>
    /// True when a provider's words name <c>include</c>, by which the gateway asks for encrypted thoughts, or refuse these ("Encrypted
    /// content is not supported with this model"). The same, once: most other words that name it refuse the next request, too.
    /// </summary>
    public static bool RefusesInclude(int status, ReadOnlySpan<byte> body)
    {
        if (status is not (400 or 422))
            return false;
        if (body.IndexOf("ncrypted content is not supported"u8) >= 0 || body.IndexOf("reasoning.encrypted_content"u8) >= 0)
            return true;
        for (int at; (at = body.IndexOf("include"u8)) >= 0; body = body[(at + "include"u8.Length)..])
            if (!IsOfAName(body[..at], ^1) && !IsOfAName(body[(at + "include"u8.Length)..], 0))
                return true;
        return false;

        static bool IsOfAName(ReadOnlySpan<byte> text, Index at) =>
            !text.IsEmpty && (char.IsAsciiLetterOrDigit((char)text[at]) || text[at] == '_');
    }

    /// <summary>
    /// True when a provider cannot open encrypted thoughts, which another of its accounts may have made. The request is then sent again
    /// without them.
    /// </summary>
    public static bool RefusesThoughts(int status, ReadOnlySpan<byte> body) =>
        status is 400 or 422 && body.IndexOf("invalid_encrypted_content"u8) >= 0;

    static Problem Pass(int status, ReadOnlySpan<byte> body)
    {
        var (message, code, param) = Read(body);
        message ??= $"The provider refused the request ({status}).";
        return new(status, "invalid_request_error", code ?? "upstream_invalid_request", message, param);
    }

    /// <summary>What a provider says in the body of an error of any shape. Null when it says nothing that a person could read.</summary>
    public static string? Words(ReadOnlySpan<byte> body) => Read(body).Message;

    /// <summary>Members that have the reason in words or contain the one that does, the most telling first.</summary>
    static readonly string[] Reasons = ["error", "errors", "detail", "message", "msg", "Message", "error_description", "title"];

    /// <summary>Deepest object that is looked into.</summary>
    const int MaxDepth = 6;

    /// <summary>
    /// Reads OpenAI's <c>error.message</c>, <c>code</c> and <c>param</c>. Other servers send the reason as a text, in a list, or as
    /// FastAPI's <c>detail</c>, which lists fields.
    /// </summary>
    static (string? Message, string? Code, string? Param) Read(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            using var json = JsonDocument.ParseValue(ref reader);
            var error = ErrorOf(json.RootElement, MaxDepth);
            return (Cut(WordsOf(json.RootElement, MaxDepth)), Text(error, "code"), Text(error, "param"));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return (PlainText(body), null, null);
        }
    }

    /// <summary>The innermost object of an error, which has its code.</summary>
    static JsonElement ErrorOf(JsonElement value, int depth) => value.ValueKind switch
    {
        JsonValueKind.Array when depth > 0 && value.GetArrayLength() > 0 => ErrorOf(value[0], depth - 1),
        JsonValueKind.Object when depth > 0 && value.TryGetProperty("error", out var inner)
            && inner.ValueKind is JsonValueKind.Object or JsonValueKind.Array => ErrorOf(inner, depth - 1),
        _ => value,
    };

    static string? WordsOf(JsonElement value, int depth)
    {
        if (value.ValueKind == JsonValueKind.String)
            return value.GetString() is { Length: > 0 } text ? text : null;
        if (depth == 0)
            return null;
        if (value.ValueKind == JsonValueKind.Array)
            return value.EnumerateArray().Select(one => WordsOf(one, depth - 1)).OfType<string>().ToList() is { Count: > 0 } several
                ? string.Join("; ", several)
                : null;
        if (value.ValueKind != JsonValueKind.Object)
            return null;
        var words = Reasons.Select(name => value.TryGetProperty(name, out var inner) ? WordsOf(inner, depth - 1) : null)
            .FirstOrDefault(found => found is not null);
        // OpenRouter says only that its provider failed. The provider's own body stands beside that.
        if (value.TryGetProperty("metadata", out var more) && Text(more, "raw") is { } raw)
            words = $"{words} {Words(Encoding.UTF8.GetBytes(raw)) ?? raw}".TrimStart();
        // FastAPI's names of the field that is wrong.
        if (words is not null && value.TryGetProperty("loc", out var place) && place.ValueKind == JsonValueKind.Array)
            words = $"{string.Join('.', place.EnumerateArray())}: {words}";
        return words;
    }

    /// <summary>A short text that is no web page.</summary>
    static string? PlainText(ReadOnlySpan<byte> body)
    {
        body = body.Trim(" \t\r\n"u8);
        return body.IsEmpty || body[0] is (byte)'<' or (byte)'{' or (byte)'[' || body.Length > MaxMessage || !Utf8.IsValid(body)
            || body.ContainsAnyInRange((byte)0, (byte)8)
                ? null
                : Encoding.UTF8.GetString(body);
    }

    static string? Text(JsonElement error, string name) =>
        error.ValueKind == JsonValueKind.Object && error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? Cut(value.GetString())
            : null;

    static string? Cut(string? text) => text is { Length: > MaxMessage } ? text[..MaxMessage] : text is "" ? null : text;
}
