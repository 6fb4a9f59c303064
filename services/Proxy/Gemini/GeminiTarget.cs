namespace LlmGateway.Proxy.Gemini;

/// <summary>What the address of a call on the Gemini wire says: <c>/v1beta/models/{model}:{method}</c>, where the model may have slashes, as <c>provider/model</c> has.</summary>
/// <param name="Endpoint">The route, for the usage record.</param>
public readonly record struct GeminiTarget(string Model, string Method, string Endpoint)
{
    const string Beta = "/v1beta/", Stable = "/v1/", Collection = "models/";

    public const string Generate = "generateContent", Stream = "streamGenerateContent", CountTokens = "countTokens", Embed = "embedContent", EmbedBatch = "batchEmbedContents";

    static readonly string[] Methods = [Generate, Stream, CountTokens, Embed, EmbedBatch];

    /// <summary>
    /// The path of a request's first line, decoded once and nothing else. The server's own path has its dot segments resolved and its <c>%2F</c> left: in it,
    /// <c>x/../small</c> would be <c>small</c>, and <c>p%252Fsmall</c> the same as <c>p%2Fsmall</c>.
    /// </summary>
    /// <param name="sent">The first line's target; absolute in requests to a proxy.</param>
    public static string PathOf(string sent)
    {
        var path = sent.Split('?', 2)[0];
        if (!path.StartsWith('/') && path.IndexOf("://", StringComparison.Ordinal) is var scheme and > 0)
            path = path.IndexOf('/', scheme + 3) is var root and > 0 ? path[root..] : "/";
        return Uri.UnescapeDataString(path);
    }

    /// <summary>False for other addresses. Under <c>/v1beta</c> the collection may be missing: the AI SDK leaves it out where the model's name has a slash.</summary>
    public static bool TryRead(string path, out GeminiTarget target)
    {
        target = default;
        var root = path.StartsWith(Beta, StringComparison.Ordinal) ? Beta : path.StartsWith(Stable + Collection, StringComparison.Ordinal) ? Stable : null;
        var colon = path.LastIndexOf(':');
        if (root is null || colon < root.Length)
            return false;
        var method = Array.Find(Methods, method => path.AsSpan(colon + 1).SequenceEqual(method));
        if (method is null)
            return false;
        target = new(ModelOf(path[root.Length..colon]), method, $"{root}{Collection}{{model}}:{method}");
        return true;
    }

    /// <summary>A model's name without its collection, which SDKs put before it and people too, so that it can stand there twice.</summary>
    public static string ModelOf(string name)
    {
        while (name.StartsWith(Collection, StringComparison.Ordinal))
            name = name[Collection.Length..];
        return name;
    }

    /// <summary>Addresses where clients of this wire may put their key into the query: its own, and the list of models.</summary>
    public static bool MayHoldKey(string path) =>
        path.StartsWith(Beta, StringComparison.Ordinal) || path.StartsWith("/v1/models", StringComparison.Ordinal) || path.StartsWith("/models", StringComparison.Ordinal);
}
