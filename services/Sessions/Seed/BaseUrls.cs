namespace LlmGateway.Sessions;

/// <summary>Addresses of providers as operators write them.</summary>
public static class BaseUrls
{
    /// <summary>The one form that is stored: no slash at the end, no doubled <c>/v1</c>. False when it is no plain http address.</summary>
    public static bool TryRead(string text, out string baseUrl)
    {
        baseUrl = text.TrimEnd('/');
        while (baseUrl.EndsWith("/v1/v1", StringComparison.Ordinal))
            baseUrl = baseUrl[..^3];
        return Uri.TryCreate(baseUrl, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            && uri is { UserInfo: "", Query: "", Fragment: "", Host.Length: > 0 } && !text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c));
    }
}
