namespace LlmGateway.Contracts;

/// <summary>
/// What one project sells, as <c>POST /internal/projects</c> gives it to the proxies: providers, models, prices, origins. The proxy opens
/// the sealed secrets in memory.
/// </summary>
/// <param name="AllowedOrigins">Exact origins of pages that may call. Null allows every origin, and an empty list none.</param>
/// <param name="EndUserSessions">False refuses sessions of this project.</param>
public sealed record ProjectCatalog(
    Guid Id, Guid Organization, string Name, bool Active, bool EndUserSessions, IReadOnlyList<string>? AllowedOrigins,
    IReadOnlyList<ProviderConnection> Providers, IReadOnlyList<ModelOffer> Models)
{
    /// <summary>
    /// Callers may send their credential in the query on the Gemini wire. Addresses are logged where headers are not, so a project must ask
    /// for it.
    /// </summary>
    public bool KeysInQuery { get; init; }

    /// <summary>The project's own routes, in no order.</summary>
    public IReadOnlyList<CustomRoute> Routes { get; init; } = [];
}

/// <summary><c>POST /internal/projects</c>: the catalogs of these projects. The answer has a member for each that exists.</summary>
public sealed record ProjectQuestion(IReadOnlyList<Guid> Projects)
{
    /// <summary>A catalog may have hundreds of models.</summary>
    public const int MaxAtOnce = 50;
}

/// <summary>How to reach a provider.</summary>
/// <param name="Id">The name in the seed file, unique in the project.</param>
/// <param name="Wire">Which API it speaks, one of <see cref="ProviderWire"/>.</param>
/// <param name="AuthType"><c>bearer</c>, <c>header</c>, <c>query</c>, <c>basic</c> or <c>none</c>.</param>
/// <param name="AuthName">Header or query name where the type needs one.</param>
/// <param name="Keys">Each may be used, in proportion to its weight; empty for <c>none</c>.</param>
/// <param name="OnAbort"><c>cancel</c> or <c>drain</c>.</param>
/// <param name="Sandbox">The provider is the sandbox, which test credentials may call.</param>
public sealed record ProviderConnection(
    string Id, string Wire, string BaseUrl, string AuthType, string? AuthName, IReadOnlyList<SealedKey> Keys,
    int TimeoutSeconds, int Retries, string OnAbort, bool Sandbox)
{
    /// <summary>
    /// A tenant set the address, so it is called only if it leads to a public one. Addresses of the operator's seed file may be private.
    /// </summary>
    public bool Tenant { get; init; }

    /// <summary>The type of call credits that pay for its calls. Null: none do.</summary>
    public string? QueryType { get; init; }

    /// <summary>
    /// Addresses below these paths take raw calls (<c>/v1/providers/{id}/…</c>). Null: an HTTP API takes them everywhere, and a provider of
    /// models where it answers and keeps nothing.
    /// </summary>
    public IReadOnlyList<string>? RawPaths { get; init; }

    /// <summary>The owner that a provider's secret is sealed for. The secret opens in no other project and for no other provider.</summary>
    public static string SecretOwner(Guid project, string id) => $"provider:{project:N}:{id}";
}

/// <summary>One secret of a provider.</summary>
/// <param name="SealedSecret">AES-256-GCM envelope (see ServiceDefaults/Security/Envelope.cs) for
/// <see cref="ProviderConnection.SecretOwner"/>.</param>
/// <param name="Weight">From 1 to 1000.</param>
public sealed record SealedKey(string SealedSecret, int Weight);

/// <summary>The APIs that a provider may speak.</summary>
public static class ProviderWire
{
    /// <summary>Chat completions and responses, embeddings and the rest: OpenAI itself, Azure OpenAI under its v1 address.</summary>
    public const string OpenAi = "openai";

    /// <summary>Chat completions and related routes, but no responses.</summary>
    public const string OpenAiCompatible = "openai-compatible";

    /// <summary>OpenAI's responses only.</summary>
    public const string Responses = "responses";

    public const string Anthropic = "anthropic";

    public const string Gemini = "gemini";

    /// <summary>Any HTTP API. It has no models, and is called at its own addresses.</summary>
    public const string Http = "http";

    /// <summary>Those of models.</summary>
    public static readonly IReadOnlyList<string> All = [OpenAi, OpenAiCompatible, Responses, Anthropic, Gemini];
}

/// <summary>A model on offer from one provider.</summary>
/// <param name="Id">The name that callers use, also as <c>provider/id</c>.</param>
/// <param name="Kind"><c>chat</c>, <c>embedding</c>, <c>image</c>, <c>audio</c>, <c>moderation</c>.</param>
/// <param name="Prices">Null: the model has no price and is refused.</param>
/// <param name="PriceVersion">The immutable price row that applies to requests admitted now.</param>
public sealed record ModelOffer(
    string Id, string Kind, string Provider, string UpstreamModel, long ContextTokens, long MaxOutputTokens,
    Guid? PriceVersion, Prices? Prices)
{
    /// <summary>The same model at further providers, in the order in which they are tried. They have no fallbacks of their own.</summary>
    public IReadOnlyList<ModelOffer> Fallbacks { get; init; } = [];
}
