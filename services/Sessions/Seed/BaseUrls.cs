using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>Addresses of providers as operators write them.</summary>
public static class BaseUrls
{
    /// <summary>
    /// The stored form has no slash at the end. On the OpenAI wires it is what that vendor's SDK takes, without a doubled <c>/v1</c>. On
    /// the others it is the root, without a version. False when the text is no plain http address.
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
            case ProviderWire.Http:
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
