using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

// These records are the seed file (contract §11). A project's absent members stay as they are, or take their default in a new project.
// Providers and models are written whole. Nothing is removed because it is missing in the file.

public sealed record SeedFile(IReadOnlyList<SeedOrganization> Organizations);

public sealed record SeedOrganization(string Name)
{
    public IReadOnlyList<SeedProject>? Projects { get; init; }
}

public sealed record SeedProject(string Name)
{
    /// <summary><c>live</c> or <c>test</c>.</summary>
    public string? Mode { get; init; }
    public Percent? MarkupPercent { get; init; }
    public Percent? PlatformFeePercent { get; init; }
    public bool? EndUserSessions { get; init; }
    /// <summary>True lets callers put their credential into the query (<c>key=</c>) on the Gemini wire.</summary>
    public bool? KeysInQuery { get; init; }
    /// <summary>A new project without it may be called from every origin; <c>[]</c> lets no browser call.</summary>
    public IReadOnlyList<string>? AllowedOrigins { get; init; }
    /// <summary>The low mark of customers' wallets. Absent keeps the one that there is; a new project has none.</summary>
    public Money? LowBalance { get; init; }
    /// <summary>Percentages of a limit that are told of, rising. Absent keeps those that there are; at first 50, 80, 100.</summary>
    public IReadOnlyList<int>? LimitThresholds { get; init; }
    /// <summary>How much customers may top up. Absent keeps what was said; at first Billing's for all.</summary>
    public TopUpAllowance? TopUpLimits { get; init; }
    /// <summary>How the project looks to its customers. Absent keeps what was said.</summary>
    public Branding? Branding { get; init; }
    public IReadOnlyList<SeedSecretKey>? SecretKeys { get; init; }
    public IReadOnlyList<SeedProvider>? Providers { get; init; }
    public IReadOnlyList<SeedModel>? Models { get; init; }
    public IReadOnlyList<SeedCustomer>? Customers { get; init; }
    public IReadOnlyList<CustomRoute>? Routes { get; init; }
    public IReadOnlyList<SeedPlan>? Plans { get; init; }
    public IReadOnlyList<Unsupported>? Webhooks { get; init; }
}

/// <summary>A plan, which is written whole. Tokens are those of a month.</summary>
/// <param name="Price">USD per month.</param>
public sealed record SeedPlan(string Id, string Name, Money Price)
{
    /// <summary>Absent: as many as one likes.</summary>
    public long? Tokens { get; init; }
    public int? TokensPerMinute { get; init; }
    /// <summary>USD per token beyond <see cref="Tokens"/>. Absent: there is none beyond them.</summary>
    public DecimalAmount? OveragePerToken { get; init; }
    public int TrialDays { get; init; }
    /// <summary><c>prorated</c> or <c>full</c>: the quota of a month that the plan's end cuts.</summary>
    public string LastTerm { get; init; } = "prorated";
    public string? StripePrice { get; init; }

    /// <summary>A token's price has 18 decimals: it is exact as a rate per million.</summary>
    public Rate? Overage => OveragePerToken is { } each && DecimalText.TryParse(each.Text, OverageDecimals, out var picos, out _)
        ? new(picos)
        : null;

    public const int OverageDecimals = Rate.Decimals + 6;
}

/// <param name="Key">A literal key. Without it one is made and told once, see <see cref="MadeKeys"/>.</param>
/// <param name="Permissions">Of <see cref="ServiceDefaults.Permissions"/>. A new key without them may do all; a known one keeps its
/// own.</param>
/// <param name="ExpiresAt">As for the permissions: absent is never, or as it is.</param>
public sealed record SeedSecretKey(
    string Name, string? Key = null, IReadOnlyList<string>? Permissions = null, DateTimeOffset? ExpiresAt = null);

public sealed record SeedProvider(string Id, string Wire, string BaseUrl)
{
    public SeedAuth? Auth { get; init; }
    /// <summary>Several secrets, in place of the one in <c>auth.value</c>.</summary>
    public IReadOnlyList<SeedProviderKey>? Keys { get; init; }
    public int TimeoutSeconds { get; init; } = 60;
    public int Retries { get; init; } = 2;
    public string OnAbort { get; init; } = "cancel";
    /// <summary>The type of call credits that pay for its calls. Absent: none do.</summary>
    public string? QueryType { get; init; }
    /// <inheritdoc cref="ProviderConnection.RawPaths"/>
    public IReadOnlyList<string>? RawPaths { get; init; }
    /// <summary>
    /// True: a tenant has said where it is, so that it must be a public place at each connection. An export has it. A call may say it, and
    /// does not take it back.
    /// </summary>
    public bool? Tenant { get; init; }

    /// <summary>
    /// How the gateway authenticates at the provider. The wire decides what the file does not say. Without <c>auth</c> and <c>keys</c> no
    /// credential is sent.
    /// </summary>
    public (string Type, string? Name) Authentication => (Auth?.Type, Wire) switch
    {
        ({ } type, _) => (type, Auth.Name),
        _ when Auth is null && Keys is null => ("none", null),
        (_, ProviderWire.Anthropic) => ("header", Auth?.Name ?? "x-api-key"),
        (_, ProviderWire.Gemini) => ("header", Auth?.Name ?? "x-goog-api-key"),
        _ => ("bearer", Auth?.Name),
    };

    /// <summary>Every secret with its weight, from <c>keys</c> or from <c>auth</c>.</summary>
    public IReadOnlyList<SeedProviderKey> Secrets => Keys ?? (Auth?.Value is { } value ? [new(value)] : []);
}

/// <param name="Type"><c>bearer</c>, <c>header</c>, <c>query</c>, <c>basic</c> or <c>none</c>. Null is the usual one of the wire.</param>
/// <param name="Name">Header or query parameter, for the types that need one.</param>
/// <param name="Value">The secret. For <c>basic</c> it is user and password with a colon between.</param>
public sealed record SeedAuth(string? Type = null, string? Name = null, string? Value = null);

/// <param name="Value">As in <see cref="SeedAuth"/>. Null only where secrets are not shown.</param>
/// <param name="Weight">Its share of the calls, against the weights of the other keys.</param>
public sealed record SeedProviderKey(string? Value = null, int Weight = 1);

/// <param name="Provider">The model's one provider. A model with several has them in <see cref="Providers"/>.</param>
public sealed record SeedModel(string Id, string? Provider = null)
{
    /// <summary>The providers in the order in which they are tried.</summary>
    public IReadOnlyList<SeedModelProvider>? Providers { get; init; }
    /// <summary>The provider's name for the model. It is the model's id when absent.</summary>
    public string? UpstreamModel { get; init; }
    /// <summary>The kind of model. When it or a limit is absent, the catalogue's counts.</summary>
    public string? Kind { get; init; }
    public long? ContextTokens { get; init; }
    public long? MaxOutputTokens { get; init; }
    /// <summary>
    /// The model's price. When it is absent, the model keeps the price that it has, or else has the catalogue's. A model without a price
    /// cannot be called.
    /// </summary>
    public Prices? Prices { get; init; }

    /// <summary>Every provider with its name for the model, however the file says it.</summary>
    public IReadOnlyList<SeedModelProvider> Offers =>
        [.. (Providers ?? [new(Provider!)]).Select(offer => offer with { UpstreamModel = offer.UpstreamModel ?? UpstreamModel ?? Id })];
}

/// <summary>One provider of a model. The file may have a plain text instead, which is the id alone.</summary>
/// <param name="UpstreamModel">The model's when absent.</param>
/// <param name="Prices">The model's when absent.</param>
public sealed record SeedModelProvider(string Id, string? UpstreamModel = null, Prices? Prices = null);

public sealed record SeedCustomer(string ExternalId)
{
    public string? Name { get; init; }
    public string? Email { get; init; }
    public string? Company { get; init; }
    public string? Phone { get; init; }
    public SeedWallet? Wallet { get; init; }
    public SeedRates? Rates { get; init; }
    public IReadOnlyList<SeedCustomerKey>? Keys { get; init; }
    /// <summary>
    /// The id of one of the project's plans. Null ends the one that the customer has, and absent leaves it (<see cref="SaysPlan"/>).
    /// </summary>
    public string? Plan
    {
        get;
        init => (field, SaysPlan) = (value, true);
    }
    public bool SaysPlan { get; private init; }
    /// <summary>
    /// Call credits by their type, granted when the balance is opened and never again. Absent leaves the customer those that it has.
    /// </summary>
    public IReadOnlyDictionary<string, long>? Balances { get; init; }
    /// <summary>All limits of the customer. Absent leaves them as they are.</summary>
    public IReadOnlyList<LimitRequest>? Limits { get; init; }
}

/// <param name="Credit">It is granted when the wallet is opened and never again.</param>
public sealed record SeedWallet(Money Credit = default)
{
    /// <summary>The customer's own low mark. Absent keeps the one that it has; without one the project's counts.</summary>
    public Money? LowBalance { get; init; }
}

/// <param name="Concurrent">Requests that may run at the same time.</param>
public sealed record SeedRates(int? RequestsPerMinute = null, int? TokensPerMinute = null, int? Concurrent = null);

/// <param name="KeyInPath">It may stand in the path, <c>/k/{key}/v1/…</c>.</param>
public sealed record SeedCustomerKey(
    string Name,
    string? Key = null,
    IReadOnlyList<string>? Models = null,
    DateTimeOffset? ExpiresAt = null,
    int? Concurrent = null,
    bool KeyInPath = false);
