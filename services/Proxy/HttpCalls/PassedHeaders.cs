using System.Collections.Frozen;
using System.Net.Http.Headers;
using LlmGateway.Contracts;
using Microsoft.Extensions.Primitives;

namespace LlmGateway.Proxy;

/// <summary>
/// Which headers of a caller reach an HTTP API, and which of its answer reach the caller. What identifies somebody, holds for one
/// connection, or asks an API to take the request for another one stays here.
/// </summary>
public static class PassedHeaders
{
    static readonly FrozenSet<string> NotToProviders = Names(
        [
            .. AnswerHeaders.OfConnection,
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

    /// <summary>Adds what a provider gets of a caller's headers.</summary>
    /// <param name="credential">Whatever repeats it is left out, whatever it is called. Empty where the caller has none.</param>
    /// <param name="besides">Further names that are left out: the header of the provider's own credential, and those of the route.</param>
    public static void Send(HttpRequest caller, HttpRequestMessage request, string credential, IEnumerable<string> besides)
    {
        var named = NamedByConnection(caller.Headers.Connection);
        named.UnionWith(besides.Select(Folded));
        foreach (var (name, values) in caller.Headers)
            if (!name.StartsWith(':') && !IsKeptBack(Folded(name)) && !named.Contains(name) && !named.Contains(Folded(name))
                && !Repeats(values, credential) && !request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                request.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
    }

    /// <summary>Sets what a caller gets of an answer's headers.</summary>
    /// <param name="secrets">A link to the next page may have the provider's address and key in it, and so may any other header.</param>
    /// <param name="isInflated">The body that the caller gets is not coded any more.</param>
    /// <param name="changes">What the route takes away of the provider's headers, and what it sets.</param>
    public static void Answer(
        HttpResponseMessage answer, HttpResponse response, UpstreamSecrets secrets, bool isInflated, MessageChanges? changes = null)
    {
        var left = NamedByConnection(new([.. answer.Headers.Connection]));
        left.UnionWith(changes?.DeleteHeaders ?? []);
        left.UnionWith(changes?.SetHeaders?.Keys ?? []);
        if (isInflated)
            left.Add("Content-Encoding");
        Copy(answer.Headers.NonValidated);
        Copy(answer.Content.Headers.NonValidated);
        foreach (var (name, value) in changes?.SetHeaders ?? Nothing)
            Say(name, [value]);

        void Copy(HttpHeadersNonValidated headers)
        {
            foreach (var (name, values) in headers)
                if (!left.Contains(name))
                    Say(name, values.Select(value => secrets.Hide(value)));
        }

        void Say(string name, IEnumerable<string> values)
        {
            string[] sendable = [.. values.Where(AnswerHeaders.IsSendable)];
            if (sendable.Length == 0 || !AnswerHeaders.MayBeSaid(name))
                return;
            // What the gateway itself says of the caller's origin stays true.
            if (name.Equals("Vary", StringComparison.OrdinalIgnoreCase))
                response.Headers.Append(name, sendable);
            else
                response.Headers[name] = sendable;
        }
    }

    static readonly IReadOnlyDictionary<string, string> Nothing = new Dictionary<string, string>();

    static bool Repeats(StringValues values, string credential) => credential.Length > 0
        && values.Any(value => value?.Contains(credential, StringComparison.Ordinal) == true);

    static bool IsKeptBack(string name) => NotToProviders.Contains(name)
        || Array.Exists(NotToProvidersFrom, beginning => name.StartsWith(beginning, StringComparison.OrdinalIgnoreCase));

    /// <summary>As servers see a name that hand on headers as variables (CGI, WSGI, PHP): to them both are one.</summary>
    static string Folded(string name) => name.Replace('_', '-');

    /// <summary>A sender may declare further headers to be those of its connection.</summary>
    static HashSet<string> NamedByConnection(StringValues connection) =>
        connection.SelectMany(value => (value ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            .ToHashSet(StringComparer.OrdinalIgnoreCase);

    static FrozenSet<string> Names(IEnumerable<string> names) => names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
}
