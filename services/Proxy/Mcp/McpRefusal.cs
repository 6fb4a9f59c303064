using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Problems as an MCP client gets them: as the error of its message, with status 200, because clients take any other status for a failure
/// of the connection and lose what is said. Who is not known, or has no session any more, is told so by the status, which clients obey.
/// </summary>
sealed class McpRefusal
{
    /// <summary>JSON-RPC's codes: parameters are wrong; the server has a reason of its own, which <c>data.code</c> says.</summary>
    const int InvalidParams = -32602, OfServer = -32000;

    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    bool _isTold;

    McpRefusal()
    {
    }

    /// <summary>What is refused. Null while it is not read.</summary>
    public McpMessage? Message { get; set; }

    /// <summary>From here on problems of this request have that form.</summary>
    public static McpRefusal Of(HttpContext http)
    {
        var refusal = new McpRefusal();
        http.SetProblemBody(refusal.Write);
        http.Response.OnStarting(() =>
        {
            if (refusal is { _isTold: true, Message.Id: not null } && http.Response.StatusCode is 400 or 402 or 403 or 409 or 422 or 429)
                http.Response.StatusCode = StatusCodes.Status200OK;
            return Task.CompletedTask;
        });
        return refusal;
    }

    void Write(IBufferWriter<byte> to, Problem problem, string requestId)
    {
        _isTold = true;
        using var json = new Utf8JsonWriter(to, Relaxed);
        json.WriteStartObject();
        json.WriteString("jsonrpc", "2.0");
        json.WritePropertyName("id");
        json.WriteRawValue(Message?.Id ?? "null");
        json.WriteStartObject("error");
        json.WriteNumber("code", problem.Status == StatusCodes.Status400BadRequest ? InvalidParams : OfServer);
        json.WriteString("message", problem.Message);
        json.WriteStartObject("data");
        json.WriteString("code", problem.Code);
        json.WriteString("type", problem.Type);
        json.WriteString("param", problem.Param);
        json.WriteNumber("status", problem.Status);
        if (problem.RetryAfterSeconds is { } seconds)
            json.WriteNumber("retryAfter", seconds);
        problem.Limit?.Write(json);
        problem.Credits?.Write(json);
        json.WriteString("requestId", requestId);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
