using System.Text.Json;
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

    public static readonly Problem TimedOut = Problems.Upstream(504, "upstream_timeout", "The provider did not answer in time.");
    public static readonly Problem Interrupted = Problems.Upstream(502, "upstream_interrupted", "The provider broke off its answer.");
    public static readonly Problem Malformed = Problems.Upstream(
        502, "upstream_malformed", "The provider's answer is not what was asked for.");

    const string AskOperator = "Ask the operator to check the provider connection.";

    static readonly Problem NoCredit = Problems.Upstream(
        502, "upstream_quota", "The gateway's account at the provider has no credit. " + AskOperator);
    static readonly Problem RefusedKey = Problems.Upstream(
        502, "upstream_auth", "The provider refused the gateway's credentials. " + AskOperator);

    /// <param name="status">The provider's status, any but 2xx.</param>
    /// <param name="body">The beginning of the answer, JSON or not.</param>
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
    /// True when a provider does not know what the gateway added to a request: usage in streams, or encrypted thoughts ("Encrypted content
    /// is not supported with this model"). The request is then sent again without it.
    /// </summary>
    public static bool RefusesAddition(int status, ReadOnlySpan<byte> body) => status is 400 or 422
        && (body.IndexOf("stream_options"u8) >= 0 || body.IndexOf("include_usage"u8) >= 0
            || body.IndexOf("ncrypted content is not supported"u8) >= 0 || body.IndexOf("encrypted_content"u8) >= 0);

    static Problem Pass(int status, ReadOnlySpan<byte> body)
    {
        var (message, code, param) = Read(body);
        message ??= $"The provider refused the request ({status}).";
        return new(status, "invalid_request_error", code ?? "upstream_invalid_request", message, param);
    }

    /// <summary>
    /// Reads <c>error.message</c>, <c>code</c> and <c>param</c>. Other shapes in use are a plain <c>error</c> or <c>message</c> string.
    /// </summary>
    static (string? Message, string? Code, string? Param) Read(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            using var json = JsonDocument.ParseValue(ref reader);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                return default;
            var error = json.RootElement.TryGetProperty("error", out var inner) ? inner : json.RootElement;
            return error.ValueKind == JsonValueKind.String
                ? (Cut(error.GetString()), null, null)
                : (Text(error, "message"), Text(error, "code"), Text(error, "param"));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return default;
        }
    }

    static string? Text(JsonElement error, string name) =>
        error.ValueKind == JsonValueKind.Object && error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? Cut(value.GetString())
            : null;

    static string? Cut(string? text) => text is { Length: > MaxMessage } ? text[..MaxMessage] : text is "" ? null : text;
}
