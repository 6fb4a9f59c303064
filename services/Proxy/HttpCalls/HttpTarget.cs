using Microsoft.AspNetCore.Http.Features;

namespace LlmGateway.Proxy;

/// <summary>The address of a request as it was sent. The server's own path is decoded and has dot segments resolved.</summary>
/// <param name="Path">Escaped, from the root.</param>
/// <param name="Query">With its question mark; empty when there is none.</param>
public readonly record struct HttpTarget(string Path, string Query)
{
    public static HttpTarget Of(HttpContext http)
    {
        var sent = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var query = sent.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? new(sent, "") : new(sent[..query], sent[query..]);
    }

    /// <summary>The query without some of its parameters. Those that stay are as they were sent.</summary>
    /// <param name="isLeftOut">By its name and its value, both decoded.</param>
    public static string Without(string query, Func<string, string, bool> isLeftOut)
    {
        if (query.Length <= 1)
            return "";
        var kept = query[1..].Split('&').Where(pair =>
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            return equals < 0 ? !isLeftOut(Decoded(pair), "") : !isLeftOut(Decoded(pair[..equals]), Decoded(pair[(equals + 1)..]));
        });
        var rest = string.Join('&', kept);
        return rest.Length == 0 ? "" : $"?{rest}";
    }

    static string Decoded(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
}
