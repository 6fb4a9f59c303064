using System.Collections.Frozen;

namespace LlmGateway.Contracts;

/// <summary>
/// Headers of an answer that no provider's and no route's word decides. What a route sets is checked by the same list as what an API says,
/// so that neither can say what the other may not.
/// </summary>
public static class AnswerHeaders
{
    /// <summary>Those of one connection (RFC 9110, 7.6.1), both ways. Lengths and codings are the server's and the client's own.</summary>
    public static readonly IReadOnlyList<string> OfConnection =
    [
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info", "TE",
        "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "HTTP2-Settings", "Via",
    ];

    static readonly FrozenSet<string> Ours = Names(
    [
        .. OfConnection,
        // A browser would keep or obey them for this origin, where other tenants' answers come from, too.
        "Set-Cookie", "Set-Cookie2", "Clear-Site-Data", "Strict-Transport-Security", "Public-Key-Pins", "Alt-Svc", "NEL", "Report-To",
        "Reporting-Endpoints", "Service-Worker-Allowed", "Refresh", "Origin-Agent-Cluster", "WWW-Authenticate", "Authentication-Info",
        "Server", "X-Powered-By", "Location", "Content-Location",
        // A web server before the gateway would obey them, and serve its own files or addresses.
        "X-Sendfile", "X-Lighttpd-Send-File", "X-LiteSpeed-Location", "X-Reproxy-URL",
        // The account that a provider bills, and its limits.
        "OpenAI-Organization", "OpenAI-Project", "anthropic-organization-id",
        // Said by us.
        "X-Request-Id", "X-Query-Type", "x-should-retry", "Idempotent-Replayed",
    ]);

    static readonly string[] OursFrom =
        ["Access-Control-", "X-LLMGateway-", "X-RateLimit-", "anthropic-ratelimit-", "Proxy-", "Cross-Origin-", "X-Accel-"];

    static FrozenSet<string> Names(IEnumerable<string> names) => names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static bool MayBeSaid(string name) => !Ours.Contains(name)
        && !Array.Exists(OursFrom, beginning => name.StartsWith(beginning, StringComparison.OrdinalIgnoreCase));

    /// <summary>Servers and clients refuse to send any other value, and break off the answer or the call that has it.</summary>
    public static bool IsSendable(string value) => !value.AsSpan().ContainsAnyExceptInRange(' ', '~');
}
