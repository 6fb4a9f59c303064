using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>Addresses of providers as operators write them.</summary>
public static class BaseUrls
{
    /// <summary>
    /// The one form that is stored: no slash at the end; on the OpenAI wires what that vendor's SDK takes, no doubled <c>/v1</c>; on the
    /// others the root, without a version. False when it is no plain http address.
    /// </summary>
    public static bool TryRead(string wire, string text, out string baseUrl)
    {
        baseUrl = text.TrimEnd('/');
        switch (wire)
        {
            case ProviderWire.Anthropic:
                CutEnd(ref baseUrl, "/v1", "");
                break;
            case ProviderWire.Gemini:
                CutEnd(ref baseUrl, "/v1beta", "");
                CutEnd(ref baseUrl, "/v1", "");
                break;
            default:
                CutEnd(ref baseUrl, "/v1/v1", "/v1");
                break;
        }
        return Uri.TryCreate(baseUrl, UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https"
            && uri is { UserInfo: "", Query: "", Fragment: "", Host.Length: > 0 }
            && !text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || c == '\\');
    }

    static void CutEnd(ref string text, string end, string otherwise)
    {
        while (text.EndsWith(end, StringComparison.Ordinal))
            text = text[..^end.Length].TrimEnd('/') + otherwise;
    }
}
