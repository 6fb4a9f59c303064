using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// An error in Google's shape, with the gateway's fields outside of it. @google/genai shows the whole body as the message of its
/// <c>ApiError</c>. It takes the status from HTTP or, in a stream, from <c>error.code</c>.
/// </summary>
static class GeminiError
{
    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(IBufferWriter<byte> to, Problem problem, string requestId)
    {
        using var json = new Utf8JsonWriter(to, Relaxed);
        json.WriteStartObject();
        json.WriteStartObject("error");
        json.WriteNumber("code", problem.Status);
        json.WriteString("message", problem.Message);
        json.WriteString("status", StatusOf(problem.Status));
        WriteDetails(json, problem);
        problem.Limit?.Write(json);
        json.WriteEndObject();
        json.WriteString("message", problem.Message);
        json.WriteString("type", problem.Type);
        json.WriteString("code", problem.Code);
        json.WriteString("param", problem.Param);
        json.WriteNumber("status", problem.Status);
        problem.Credits?.Write(json);
        json.WriteString("requestId", requestId);
        json.WriteEndObject();
    }

    /// <summary>
    /// Google's name of a status. Google has none for 402; for an account without billing it uses <c>FAILED_PRECONDITION</c>, which no
    /// client repeats.
    /// </summary>
    public static string StatusOf(int status) => status switch
    {
        401 => "UNAUTHENTICATED",
        402 => "FAILED_PRECONDITION",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        502 or 503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        >= 500 => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    };

    static void WriteDetails(Utf8JsonWriter json, Problem problem)
    {
        json.WriteStartArray("details");
        json.WriteStartObject();
        json.WriteString("@type", "type.googleapis.com/google.rpc.ErrorInfo");
        json.WriteString("reason", problem.Code.ToUpperInvariant());
        json.WriteString("domain", "llm-gateway");
        json.WriteEndObject();
        if (problem.Param is { } field)
        {
            json.WriteStartObject();
            json.WriteString("@type", "type.googleapis.com/google.rpc.BadRequest");
            json.WriteStartArray("fieldViolations");
            json.WriteStartObject();
            json.WriteString("field", field);
            json.WriteString("description", problem.Message);
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }
        if (problem.RetryAfterSeconds is { } seconds)
        {
            json.WriteStartObject();
            json.WriteString("@type", "type.googleapis.com/google.rpc.RetryInfo");
            json.WriteString("retryDelay", string.Create(CultureInfo.InvariantCulture, $"{seconds}s"));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
