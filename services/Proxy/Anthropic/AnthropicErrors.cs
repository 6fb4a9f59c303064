using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>Errors in the form that this wire's clients read, with the gateway's own members beside it. Clients ignore those.</summary>
public static class AnthropicErrors
{
    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(IBufferWriter<byte> to, Problem problem, string requestId)
    {
        using var json = new Utf8JsonWriter(to, Relaxed);
        json.WriteStartObject();
        json.WriteString("type", "error");
        json.WriteStartObject("error");
        json.WriteString("type", TypeOf(problem.Status));
        json.WriteString("message", problem.Message);
        json.WriteString("code", problem.Code);
        json.WriteString("param", problem.Param);
        problem.Limit?.Write(json);
        json.WriteEndObject();
        json.WriteString("request_id", requestId);
        json.WriteString("message", problem.Message);
        json.WriteNumber("status", problem.Status);
        if (problem.Credits is not null)
            json.WriteString("code", problem.Code);
        problem.Credits?.Write(json);
        json.WriteString("requestId", requestId);
        json.WriteEndObject();
    }

    /// <summary>The wire has one error type for each status. Programs that need more detail read <c>code</c>.</summary>
    public static string TypeOf(int status) => status switch
    {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 or 504 => "timeout_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 or 529 => "overloaded_error",
        >= 500 => "api_error",
        _ => "invalid_request_error",
    };
}
