namespace LlmGateway.Proxy.Gemini;

/// <summary>What the address of a call on the Gemini wire says: <c>/v1beta/models/{model}:{method}</c>, where the model may have slashes, as <c>provider/model</c> has.</summary>
/// <param name="Endpoint">The route, for the usage record.</param>
public readonly record struct GeminiTarget(string Model, string Method, string Endpoint)
{
    const string Beta = "/v1beta/", Stable = "/v1/", Collection = "models/";

    public const string Generate = "generateContent", Stream = "streamGenerateContent", CountTokens = "countTokens", Embed = "embedContent", EmbedBatch = "batchEmbedContents";

    static readonly string[] Methods = [Generate, Stream, CountTokens, Embed, EmbedBatch];

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
        // The server leaves this one escape to us.
        return name.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Addresses where clients of this wire may put their key into the query: its own, and the list of models.</summary>
    public static bool MayHoldKey(string path) =>
        path.StartsWith(Beta, StringComparison.Ordinal) || path.StartsWith("/v1/models", StringComparison.Ordinal) || path.StartsWith("/models", StringComparison.Ordinal);
}
