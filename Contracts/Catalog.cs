namespace LlmGateway.Contracts;

/// <summary>
/// What one project sells, as <c>GET /internal/projects/{id}</c> gives it to the proxies: providers, models, prices, origins.
/// Secrets stay sealed until the proxy opens them in memory.
/// </summary>
/// <param name="AllowedOrigins">Exact origins; empty allows every origin.</param>
/// <param name="EndUserSessions">False: sessions of this project are refused.</param>
public sealed record ProjectCatalog(
    Guid Id, Guid Organization, string Name, bool Active, bool EndUserSessions, IReadOnlyList<string> AllowedOrigins,
    IReadOnlyList<ProviderConnection> Providers, IReadOnlyList<ModelOffer> Models, DateTimeOffset ReadAt);

/// <summary>How to reach a provider.</summary>
/// <param name="Id">The name in the seed file, unique in the project.</param>
/// <param name="Wire">Which API it speaks: <c>openai</c>.</param>
/// <param name="AuthType"><c>bearer</c>, <c>header</c>, <c>query</c>, <c>basic</c> or <c>none</c>.</param>
/// <param name="AuthName">Header or query name where the type needs one.</param>
/// <param name="SealedSecret">AES-256-GCM envelope of the secret (see ServiceDefaults/Envelope.cs), null for <c>none</c>.</param>
/// <param name="OnAbort"><c>cancel</c> or <c>drain</c>.</param>
/// <param name="Sandbox">True when it is the sandbox: test credentials may call it.</param>
public sealed record ProviderConnection(
    string Id, string Wire, string BaseUrl, string AuthType, string? AuthName, string? SealedSecret,
    int TimeoutSeconds, int Retries, string OnAbort, bool Sandbox)
{
    /// <summary>What a provider's secret is sealed for, and must be opened with: it opens in no other project and for no other provider.</summary>
    public static string SecretOwner(Guid project, string id) => $"provider:{project:N}:{id}";
}

/// <summary>A model on offer.</summary>
/// <param name="Id">What callers name, also as <c>provider/id</c>.</param>
/// <param name="Kind"><c>chat</c>, <c>embedding</c>, <c>image</c>, <c>audio</c>, <c>moderation</c>.</param>
/// <param name="Prices">Null: unpriced, refused.</param>
/// <param name="PriceVersion">The immutable price row that applies to requests admitted now.</param>
public sealed record ModelOffer(
    string Id, string Kind, string Provider, string UpstreamModel, long ContextTokens, long MaxOutputTokens, Guid? PriceVersion, Prices? Prices);
