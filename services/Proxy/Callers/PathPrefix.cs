using Microsoft.AspNetCore.Http.Features;

namespace LlmGateway.Proxy;

/// <summary>
/// What stands before a route's path, <c>/c/{session}</c> or <c>/k/{key}</c>, for tools that know only a base URL.
/// </summary>
public static class PathPrefix
{
    /// <summary>Takes it off the path. To be called before whatever reads paths. Null where there is none.</summary>
    public static string? Take(HttpContext http, string prefix)
    {
        if (http.Request.Path.Value is not { } path || !TrySplit(path, prefix, out var rest))
            return null;
        http.Request.Path = path[rest..];
        // The Gemini wire reads the address as it was sent.
        var sent = http.Features.GetRequiredFeature<IHttpRequestFeature>();
        if (TrySplit(sent.RawTarget, prefix, out var restAsSent))
            sent.RawTarget = sent.RawTarget[restAsSent..];
        return path[prefix.Length..rest];
    }

    /// <param name="rest">Where the path goes on behind the name.</param>
    static bool TrySplit(string path, string prefix, out int rest)
    {
        rest = path.StartsWith(prefix, StringComparison.Ordinal) ? path.IndexOf('/', prefix.Length) : -1;
        return rest > prefix.Length;
    }
}
