using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>How a WebSocket ends: what the log says of it, and what each side is told.</summary>
/// <param name="Status">As of the HTTP call.</param>
/// <param name="Reason">Null where a side has ended it itself.</param>
/// <param name="Code">The code of the closing frame.</param>
/// <param name="Words">The reason in the closing frame. Ours is JSON, so that programs can read it.</param>
public sealed record SocketEnd(RequestOutcome Outcome, int Status, string? Reason, WebSocketCloseStatus Code, string? Words)
{
    /// <summary>Most bytes of the reason in a closing frame (RFC 6455, 5.5).</summary>
    const int MaxWords = 123;

    static readonly JsonSerializerOptions Told = new(Defaults.Json) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>The caller is gone.</summary>
    public static readonly SocketEnd Left = new(
        RequestOutcome.Aborted, StatusCodes.Status499ClientClosedRequest, "aborted", WebSocketCloseStatus.EndpointUnavailable, null);

    public static readonly SocketEnd Draining = OfUs("drained", Problems.Draining, WebSocketCloseStatus.EndpointUnavailable);

    public static readonly SocketEnd Revoked = OfUs("revoked", Problems.RevokedCredential, WebSocketCloseStatus.PolicyViolation);

    /// <summary>Nothing has come from either side for too long.</summary>
    public static readonly SocketEnd Idle = OfUs("idle", "idle", WebSocketCloseStatus.EndpointUnavailable);

    public static readonly SocketEnd TooLong = OfUs("too_long", "too_long", WebSocketCloseStatus.EndpointUnavailable);

    public static readonly SocketEnd TooLarge = OfUs("message_too_large", "message_too_large", WebSocketCloseStatus.MessageTooBig);

    /// <summary>What comes next is worth more than the route holds at once.</summary>
    public static readonly SocketEnd BeyondBound = OfUs("beyond_bound", "beyond_bound", WebSocketCloseStatus.MessageTooBig);

    /// <summary>The provider broke it off.</summary>
    public static readonly SocketEnd Interrupted = new(
        RequestOutcome.Interrupted, UpstreamErrors.Interrupted.Status, UpstreamErrors.Interrupted.Code,
        WebSocketCloseStatus.InternalServerError, Say(UpstreamErrors.Interrupted));

    /// <summary>What the route's expression says is no number.</summary>
    public static readonly SocketEnd Unmeasured = OfUs("unmeasured", "unmeasured", WebSocketCloseStatus.InternalServerError);

    public static readonly SocketEnd Failed = new(
        RequestOutcome.Interrupted, StatusCodes.Status500InternalServerError, "internal", WebSocketCloseStatus.InternalServerError, null);

    /// <summary>It may not go on: something is used up, or the caller may call no more.</summary>
    public static SocketEnd Refused(Problem problem) => problem.Status == StatusCodes.Status503ServiceUnavailable
        ? OfUs(problem.Code, problem, WebSocketCloseStatus.EndpointUnavailable)
        : OfUs(problem.Code, problem, WebSocketCloseStatus.PolicyViolation);

    /// <summary>A side has closed it, in its own words.</summary>
    public static SocketEnd Closed(WebSocketCloseStatus? code, string? words) => new(
        RequestOutcome.Completed, StatusCodes.Status101SwitchingProtocols, null, code ?? WebSocketCloseStatus.Empty,
        code is null or WebSocketCloseStatus.Empty || words is not { Length: > 0 } || Encoding.UTF8.GetByteCount(words) > MaxWords
            ? null
            : words);

    /// <summary>A side has ended it itself.</summary>
    public bool IsClosed => Reason is null;

    static SocketEnd OfUs(string reason, Problem problem, WebSocketCloseStatus code) =>
        new(RequestOutcome.Aborted, StatusCodes.Status499ClientClosedRequest, reason, code, Say(problem));

    static SocketEnd OfUs(string reason, string told, WebSocketCloseStatus code) => new(
        RequestOutcome.Aborted, StatusCodes.Status499ClientClosedRequest, reason, code, Say(told, null, null));

    static string Say(Problem problem) => Say(problem.Code, problem.RetryAfterSeconds, problem.Limit?.Missing);

    /// <summary>As much of a problem's body as there is room for.</summary>
    static string Say(string code, int? retryAfter, string? missing)
    {
        var words = JsonSerializer.Serialize(new { code, retryAfter, missing }, Told);
        return Encoding.UTF8.GetByteCount(words) <= MaxWords ? words : JsonSerializer.Serialize(new { code }, Told);
    }
}
