namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// The address of a call on the Gemini wire: <c>/v1beta/models/{model}:{method}</c>. The model may contain slashes, as
/// <c>provider/model</c> does.
/// </summary>
/// <param name="Endpoint">The route, for the usage record.</param>
public readonly record struct GeminiTarget(string Model, string Method, string Endpoint)
{
    const string Beta = "/v1beta/", Stable = "/v1/", Collection = "models/";

    public const string Generate = "generateContent", Stream = "streamGenerateContent", CountTokens = "countTokens", Embed = "embedContent",
        EmbedBatch = "batchEmbedContents";

    static readonly string[] Methods = [Generate, Stream, CountTokens, Embed, EmbedBatch];

    /// <summary>
    /// The path of the request line, decoded exactly once. The server's own path has dot segments resolved and <c>%2F</c> kept: there
    /// <c>x/../small</c> would be <c>small</c>, and <c>p%252Fsmall</c> would equal <c>p%2Fsmall</c>.
    /// </summary>
    /// <param name="sent">The target of the request line. It is absolute in requests to a proxy.</param>
    public static string PathOf(string sent)
    {
        var path = sent.Split('?', 2)[0];
        if (!path.StartsWith('/') && path.IndexOf("://", StringComparison.Ordinal) is var scheme and > 0)
            path = path.IndexOf('/', scheme + 3) is var root and > 0 ? path[root..] : "/";
        return Uri.UnescapeDataString(path);
    }

    /// <summary>
    /// False for other addresses. The collection may be missing under <c>/v1beta</c>: the AI SDK leaves it out when the model's name has a
    /// slash.
    /// </summary>
    public static bool TryRead(string path, out GeminiTarget target)
    {
        target = default;
        var root = path.StartsWith(Beta, StringComparison.Ordinal) ? Beta
            : path.StartsWith(Stable + Collection, StringComparison.Ordinal) ? Stable
            : null;
        var colon = path.LastIndexOf(':');
        if (root is null || colon < root.Length)
            return false;
        var method = Array.Find(Methods, method => path.AsSpan(colon + 1).SequenceEqual(method));
        if (method is null)
            return false;
        target = new(ModelOf(path[root.Length..colon]), method, $"{root}{Collection}{{model}}:{method}");
        return true;
    }

    /// <summary>A model's name without its collection. SDKs add the collection and people do too, so it may stand there twice.</summary>
    public static string ModelOf(string name)
    {
        while (name.StartsWith(Collection, StringComparison.Ordinal))
            name = name[Collection.Length..];
        return name;
    }

    /// <summary>
    /// True for addresses where clients of this wire may put their key into the query: the wire's own, and the list of models.
    /// </summary>
    public static bool MayHoldKey(string path) =>
        path.StartsWith(Beta, StringComparison.Ordinal) || path.StartsWith("/v1/models", StringComparison.Ordinal)
            || path.StartsWith("/models", StringComparison.Ordinal);
}
