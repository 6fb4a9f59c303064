using System.Collections.Frozen;
using System.Net.Http.Headers;
using Microsoft.Extensions.Primitives;

namespace LlmGateway.Proxy;

/// <summary>
/// Which headers of a caller reach an HTTP API, and which of its answer reach the caller. What identifies somebody, holds for one
/// connection, or asks an API to take the request for another one stays here.
/// </summary>
public static class PassedHeaders
{
    /// <summary>Those of one connection (RFC 9110, 7.6.1), both ways. Lengths and codings are the server's and the client's own.</summary>
    static readonly string[] OfConnection =
    [
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info", "TE",
        "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "HTTP2-Settings", "Via",
    ];

    static readonly FrozenSet<string> NotToProviders = Names(
        [
            .. OfConnection,
            "Host", "Expect", "Cookie", "Origin", "Referer", "Accept-Encoding",
            // Credentials, also of other gateways and clouds.
            "Authorization", "X-API-Key", "Api-Key", "x-goog-api-key", "X-Amz-Security-Token", "X-Auth-Token", "X-Access-Token",
            // Who calls is said by us or by nobody.
            "X-User-ID", "X-Plan-ID", "X-Key-ID", "X-Paywall-Id", "X-Client-Session", "Idempotency-Key", "Forwarded", "X-Real-IP",
            "X-Client-IP", "True-Client-IP", "X-Cluster-Client-IP", "Fastly-Client-IP",
            // The account that a provider bills.
            "OpenAI-Organization", "OpenAI-Project", "X-Goog-User-Project", "anthropic-organization-id",
            // Another request than the one that was looked at.
            "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Host",
            // Where a provider that is a gateway itself should go.
            "X-Provider", "X-Api-Base", "X-Base-Url", "X-Upstream",
            // A caller's trace is none of ours.
            "traceparent", "tracestate", "baggage",
        ]);

    static readonly string[] NotToProvidersFrom = 
    [
        "X-Forwarded-", "X-LLMGateway-", "X-Gateway-", "X-SDK-", "Sec-", "CF-", "X-Envoy-", "X-LiteLLM-", "X-Portkey-", "Helicone-",
    ];

    static readonly FrozenSet<string> NotToCallers = Names(
        [
            .. OfConnection,
            // A browser would keep or obey them for this origin, where other tenants' answers come from, too.
            "Set-Cookie", "Set-Cookie2", "Clear-Site-Data", "Strict-Transport-Security", "Public-Key-Pins", "Alt-Svc", "NEL", "Report-To",
            "Reporting-Endpoints", "Service-Worker-Allowed", "Refresh", "Origin-Agent-Cluster", "WWW-Authenticate", "Authentication-Info",
            "Server", "X-Powered-By", "Location", "Content-Location",
            // The account that a provider bills, and its limits.
            "OpenAI-Organization", "OpenAI-Project", "anthropic-organization-id",
            // Said by us.
            "X-Request-Id", "X-Query-Type", "x-should-retry", "Idempotent-Replayed", "Vary",
        ]);

    static readonly string[] NotToCallersFrom =
        ["Access-Control-", "X-LLMGateway-", "X-RateLimit-", "anthropic-ratelimit-", "Proxy-", "Cross-Origin-"];

    /// <summary>Adds what a provider gets of a caller's headers.</summary>
    /// <param name="credential">Whatever repeats it is left out, whatever it is called.</param>
    /// <param name="authentication">The header of the provider's own credential.</param>
    public static void Send(HttpRequest caller, HttpRequestMessage request, string credential, string? authentication)
    {
        var named = NamedByConnection(caller.Headers.Connection);
        foreach (var (name, values) in caller.Headers)
            if (!name.StartsWith(':') && !IsIn(NotToProviders, NotToProvidersFrom, name) && !named.Contains(name)
                && !string.Equals(name, authentication, StringComparison.OrdinalIgnoreCase) && !Repeats(values, credential)
                && !request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                request.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
    }

    /// <summary>Sets what a caller gets of an answer's headers.</summary>
    /// <param name="secrets">A link to the next page may have the provider's address and key in it.</param>
    /// <param name="isInflated">The body that the caller gets is not coded any more.</param>
    public static void Answer(HttpResponseMessage answer, HttpResponse response, UpstreamSecrets secrets, bool isInflated)
    {
        var named = NamedByConnection(new([.. answer.Headers.Connection]));
        Copy(answer.Headers.NonValidated);
        Copy(answer.Content.Headers.NonValidated);

        void Copy(HttpHeadersNonValidated headers)
        {
            foreach (var (name, values) in headers)
            {
                if (IsIn(NotToCallers, NotToCallersFrom, name) || named.Contains(name)
                    || (isInflated && name.Equals("Content-Encoding", StringComparison.OrdinalIgnoreCase)))
                    continue;
                response.Headers[name] = new StringValues(
                    [.. values.Select(value => value.Contains("://", StringComparison.Ordinal) ? secrets.Hide(value) : value)]);
            }
        }
    }

    static bool Repeats(StringValues values, string credential) =>
        values.Any(value => value?.Contains(credential, StringComparison.Ordinal) == true);

    static bool IsIn(FrozenSet<string> names, string[] beginnings, string name) => names.Contains(name)
        || Array.Exists(beginnings, beginning => name.StartsWith(beginning, StringComparison.OrdinalIgnoreCase));

    /// <summary>A sender may declare further headers to be those of its connection.</summary>
    static HashSet<string> NamedByConnection(StringValues connection) =>
        connection.SelectMany(value => (value ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            .ToHashSet(StringComparer.OrdinalIgnoreCase);

    static FrozenSet<string> Names(IEnumerable<string> names) => names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
}
