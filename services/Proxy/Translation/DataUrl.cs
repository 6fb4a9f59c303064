namespace LlmGateway.Proxy.Translation;

/// <summary>An image inlined in an address, as the OpenAI wires have it: <c>data:image/png;base64,…</c>.</summary>
static class DataUrl
{
    const string Scheme = "data:", Encoding = ";base64,";

    public static string Of(string? mediaType, string? base64) => $"{Scheme}{mediaType}{Encoding}{base64}";

    /// <summary>Null for another address, and without a media type.</summary>
    public static (string MediaType, string Base64)? Read(string url)
    {
        var end = url.IndexOf(Encoding, StringComparison.OrdinalIgnoreCase);
        return url.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) && end > Scheme.Length
            ? (url[Scheme.Length..end], url[(end + Encoding.Length)..])
            : null;
    }
}
