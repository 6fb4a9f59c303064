using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// Which addresses of a provider take raw calls. A provider's account is shared by all customers of a project, so what its API keeps for
/// one of them (files, batches, stored answers) would be readable by the others. Where nobody has said which addresses may be called, a
/// provider of models answers only where nothing is kept, and another API everywhere.
/// </summary>
public static class RawPaths
{
    static readonly string[]
        OpenAi =
        [
            "/chat/completions", "/completions", "/embeddings", "/moderations", "/images/generations", "/images/edits",
            "/images/variations", "/audio/speech", "/audio/transcriptions", "/audio/translations",
        ],
        Anthropic = ["/messages", "/messages/count_tokens"],
        Gemini = [":generateContent", ":streamGenerateContent", ":embedContent", ":batchEmbedContents", ":countTokens"];

    /// <param name="path">Escaped, from the provider's base address on.</param>
    public static bool Allow(ProviderConnection provider, string method, string path) => provider switch
    {
        { RawPaths: { } named } => named.Any(root => IsBelow(root.TrimEnd('/'), path)),
        { Wire: ProviderWire.Http } => true,
        _ => HttpMethods.IsPost(method) && KeepNothing(provider.Wire, path),
    };

    static bool IsBelow(string root, string path) =>
        path.StartsWith(root, StringComparison.Ordinal) && (path.Length == root.Length || path[root.Length] == '/');

    static bool KeepNothing(string wire, string path) => wire switch
    {
        ProviderWire.Anthropic => Array.IndexOf(Anthropic, WithoutVersion(path)) >= 0,
        ProviderWire.Gemini => path.Contains("/models/", StringComparison.Ordinal)
            && Array.Exists(Gemini, method => path.EndsWith(method, StringComparison.Ordinal)),
        _ => Array.IndexOf(OpenAi, WithoutVersion(path)) >= 0,
    };

    static string WithoutVersion(string path) => path.StartsWith("/v1/", StringComparison.Ordinal) ? path["/v1".Length..] : path;
}
