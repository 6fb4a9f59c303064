using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>A company that runs projects and grants credit.</summary>
public sealed class Organization
{
    public required Guid Id { get; init; }
    public required string Name { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>One product: its own keys, customers, providers, models and prices.</summary>
public sealed class Project
{
    public required Guid Id { get; init; }
    public required Guid OrganizationId { get; init; }
    public required string Name { get; init; }
    /// <summary>A test project has test keys and test customers only; a live one may have both.</summary>
    public required bool Test { get; set; }
    public required bool Active { get; set; }
    public required long MarkupPpm { get; set; }
    public required long PlatformFeePpm { get; set; }
    public required bool EndUserSessions { get; set; }
    /// <summary>Callers may put their credential into the query, <c>key=</c>, on the Gemini wire.</summary>
    public required bool KeysInQuery { get; set; }
    /// <summary>Exact origins of pages that may call. Null allows every origin, and an empty list none.</summary>
    public List<string>? AllowedOrigins { get; set; }
    /// <summary>The low mark of customers' wallets. A wallet that falls below it is told of.</summary>
    public long? LowBalanceNanos { get; set; }
    /// <summary>Percentages of a limit that are told of. Null: the usual ones.</summary>
    public List<int>? LimitThresholds { get; set; }
    /// <summary>How much customers may top up, a <see cref="TopUpAllowance"/> in JSON. Null: as Billing has it for all.</summary>
    public string? TopUpLimits { get; set; }
    /// <summary>A <see cref="Contracts.Branding"/> in JSON. Null: its name alone.</summary>
    public string? Branding { get; set; }
    public required string PublishableKey { get; init; }
    /// <summary>What seed files said of it when they were applied last, as <see cref="SeedHashes"/> tells, sealed.</summary>
    public string? SealedSeed { get; set; }
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A backend's credential. Its prefix decides between live and test.</summary>
public sealed class SecretKey
{
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    public Project Project { get; init; } = null!;
    public required bool Test { get; init; }
    public required string Name { get; init; }
    /// <summary>The name by which a seed file made it without bringing one. Names are not unique, and a call's is none of these.</summary>
    public string? SeedName { get; init; }
    public required byte[] Hash { get; init; }
    public required string SealedFingerprint { get; init; }
    public required string Last4 { get; init; }
    /// <summary>Of <see cref="ServiceDefaults.Permissions"/>. Null allows all.</summary>
    public List<string>? Permissions { get; set; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? ExpiresAt { get; set; }
    public DateTimeOffset? LastUsedAt { get; init; }
    public DateTimeOffset? RevokedAt { get; set; }
}

/// <summary>Somebody who calls for an organization. Never removed, because the audit names it.</summary>
public sealed class Member
{
    public required Guid Id { get; init; }
    public required Guid OrganizationId { get; init; }
    /// <summary>The only project that it is a member of. Null: all of the organization's.</summary>
    public Guid? ProjectId { get; init; }
    /// <summary>A client's, and nobody else's.</summary>
    public Guid? CustomerId { get; init; }
    /// <summary>One of <see cref="ServiceDefaults.Roles"/>.</summary>
    public required string Role { get; set; }
    /// <summary>In lower case. Null, as the name, of one that was removed.</summary>
    public string? Email { get; set; }
    public string? Name { get; set; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? LastUsedAt { get; init; }
    public DateTimeOffset? RemovedAt { get; set; }
}

/// <summary>What a member calls with: in one project and one world, until it ends.</summary>
public sealed class MemberToken
{
    public required Guid Id { get; init; }
    public required Guid MemberId { get; init; }
    public required Guid ProjectId { get; init; }
    public required bool Test { get; init; }
    public required byte[] Hash { get; init; }
    public required string SealedFingerprint { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
    public DateTimeOffset? RevokedAt { get; set; }
}

public enum CustomerStatus { Active, Suspended, Blocked, Deleted }

/// <summary>A billable party: end user, client or subscriber. Never removed, because the ledger refers to it.</summary>
public sealed class Customer
{
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    public Project Project { get; init; } = null!;
    public required bool Test { get; init; }
    /// <summary>The backend's own name for it, unique per project and mode for ever. Null of a deleted one.</summary>
    public required string? ExternalId { get; set; }
    /// <summary>As callers see it: of a deleted one its id.</summary>
    public string ShownExternalId => ExternalId ?? Ids.Show(Ids.Customer, Id);
    public string? Email { get; set; }
    public string? Name { get; set; }
    public string? Company { get; set; }
    public string? Phone { get; set; }
    public required CustomerStatus Status { get; set; }
    /// <summary>Null: limited perhaps, but not charged in USD.</summary>
    public Guid? WalletId { get; set; }
    /// <summary>The low mark of its wallet. Null: its project's.</summary>
    public long? LowBalanceNanos { get; set; }
    public int? RequestsPerMinute { get; set; }
    public int? TokensPerMinute { get; set; }
    /// <summary>Requests that may run at the same time. Null, as for the rates: as many as one likes.</summary>
    public int? Concurrent { get; set; }
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A session and everything it was refreshed into: one scope, one lifetime, one spend cap, revoked together.</summary>
public sealed class SessionFamily
{
    public required Guid Id { get; init; }
    public required Guid CustomerId { get; init; }
    public Customer Customer { get; init; } = null!;
    /// <summary>Null allows what the project allows, empty allows nothing.</summary>
    public List<string>? Models { get; init; }
    public required int TtlSeconds { get; init; }
    public long? CapNanos { get; init; }
    /// <summary>What is spent counts up to the cap. False for families from before: their cap counts down.</summary>
    public bool CapCounts { get; init; } = true;
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? RevokedAt { get; set; }
    /// <summary>Tokens that were refreshed since <see cref="RefreshesSince"/>, of the whole family; bounded.</summary>
    public int Refreshes { get; set; }
    public required DateTimeOffset RefreshesSince { get; set; }
}

/// <summary>One token of a family.</summary>
public sealed class Session
{
    public required Guid Id { get; init; }
    public required Guid FamilyId { get; init; }
    public SessionFamily Family { get; init; } = null!;
    public required byte[] Hash { get; init; }
    public required string SealedFingerprint { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    /// <summary>Moves forward when the token is refreshed, never back.</summary>
    public required DateTimeOffset ExpiresAt { get; set; }
}

/// <summary>A customer's long-lived credential.</summary>
public sealed class CustomerKey
{
    public required Guid Id { get; init; }
    public required Guid CustomerId { get; init; }
    public Customer Customer { get; init; } = null!;
    public required string Name { get; init; }
    public required byte[] Hash { get; set; }
    public required string SealedFingerprint { get; set; }
    public required string Last4 { get; set; }
    public List<string>? Models { get; init; }
    /// <summary>As of its customer. Null: only the customer's counts.</summary>
    public int? Concurrent { get; init; }
    /// <summary>It may stand in the path of a request.</summary>
    public bool InPath { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? ExpiresAt { get; init; }
    public DateTimeOffset? LastUsedAt { get; init; }
    public DateTimeOffset? RevokedAt { get; set; }

    /// <summary>From now on it has this secret.</summary>
    public void Become(string secret, CredentialSeal seal)
    {
        var fingerprint = Token.Fingerprint(secret);
        (Hash, SealedFingerprint, Last4) = (seal.Hash(fingerprint), seal.Seal(fingerprint, Id), CredentialSeal.Last4(secret));
    }
}

/// <summary>A secret that a key had before it was rotated. The latest of a key may still be good.</summary>
public sealed class RetiredSecret
{
    public required Guid Id { get; init; }
    public required Guid KeyId { get; init; }
    public required byte[] Hash { get; init; }
    public required string SealedFingerprint { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>What a customer may use of one unit in each cycle. <see cref="LimitRules"/> has what follows from it.</summary>
public sealed class CustomerLimit
{
    public required Guid CustomerId { get; init; }
    /// <summary>Unique for the customer.</summary>
    public required string Id { get; init; }
    /// <summary>Its place in the owner's list.</summary>
    public required int Position { get; set; }
    public required string Unit { get; set; }
    /// <summary>Whole units, of usd nano-dollars.</summary>
    public required long Amount { get; set; }
    public required string Cycle { get; set; }
    /// <summary>Local in the zone. Null: <see cref="ServiceDefaults.Cycles.DefaultAnchor"/>.</summary>
    public DateTime? Anchor { get; set; }
    public required string TimeZone { get; set; }
    /// <summary>Null, as for the keys: all. Sorted.</summary>
    public List<string>? Models { get; set; }
    public List<Guid>? Keys { get; set; }
    public List<LimitRaise> Raises { get; init; } = [];
}

/// <summary>Another amount of a limit for a while. Where several overlap, the highest counts.</summary>
public sealed class LimitRaise
{
    public required Guid Id { get; init; }
    public required Guid CustomerId { get; init; }
    public required string LimitId { get; init; }
    public required long Amount { get; init; }
    public required DateTimeOffset StartsAt { get; init; }
    public required DateTimeOffset EndsAt { get; init; }
}

/// <summary>What a project sells by the month.</summary>
public sealed class Plan
{
    public required Guid ProjectId { get; init; }
    public required string Id { get; init; }
    public required string Name { get; set; }
    public required long PriceNanos { get; set; }
    /// <summary>Included in each month. Null: as many as one likes.</summary>
    public long? Tokens { get; set; }
    public int? TokensPerMinute { get; set; }
    /// <summary>What a token beyond the quota costs, as a <see cref="Contracts.Rate"/>. Null: there is none beyond it.</summary>
    public long? OveragePicos { get; set; }
    public required int TrialDays { get; set; }
    /// <summary>A term that the plan's end cuts has all its tokens, not its part of them.</summary>
    public required bool LastTermFull { get; set; }
    public string? StripePrice { get; set; }
}

/// <summary>The plan that a customer has.</summary>
public sealed class CustomerPlan
{
    public required Guid CustomerId { get; init; }
    /// <summary>The quota's counters are derived from it. It stays when the plan is changed, and so does what was used.</summary>
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    public required string PlanId { get; set; }
    public required DateTimeOffset StartsAt { get; init; }
    public DateTimeOffset? EndsAt { get; set; }
}

/// <summary>A customer has a balance of call credits of this type.</summary>
public sealed class CustomerCredits
{
    public required Guid CustomerId { get; init; }
    public required string QueryType { get; init; }
}

/// <summary>A connection to a provider.</summary>
public sealed class Provider
{
    public required Guid ProjectId { get; init; }
    public required string Id { get; init; }
    public required string Wire { get; set; }
    public required string BaseUrl { get; set; }
    public required string AuthType { get; set; }
    public string? AuthName { get; set; }
    public List<ProviderKey> Keys { get; init; } = [];
    public required int TimeoutSeconds { get; set; }
    public required int Retries { get; set; }
    public required string OnAbort { get; set; }
    public string? QueryType { get; set; }
    /// <inheritdoc cref="Contracts.ProviderConnection.RawPaths"/>
    public List<string>? RawPaths { get; set; }
    /// <summary>A tenant set the address: it must be a public one.</summary>
    public bool Tenant { get; set; }
}

/// <summary>One of a provider's secrets, sealed for <see cref="Contracts.ProviderConnection.SecretOwner"/>.</summary>
public sealed class ProviderKey
{
    public required Guid ProjectId { get; init; }
    public required string ProviderId { get; init; }
    public required int Position { get; init; }
    public required string SealedSecret { get; set; }
    public required int Weight { get; set; }
}

/// <summary>A route of a project's own.</summary>
public sealed class ProjectRoute
{
    public required Guid ProjectId { get; init; }
    public required string Id { get; init; }
    /// <summary>A <see cref="Contracts.CustomRoute"/>, as JSON.</summary>
    public required string Definition { get; set; }
    /// <summary>
    /// The host where everybody may call it, also while it is switched off: nobody else gets the host meanwhile. Null where nobody may call
    /// it without a credential.
    /// </summary>
    public string? PublicHost { get; set; }
}

/// <summary>A model on offer in a project.</summary>
public sealed class Model
{
    public required Guid ProjectId { get; init; }
    public required string Id { get; init; }
    public List<ModelProvider> Providers { get; init; } = [];
    /// <summary>Null, as for the limits: what the catalogue says.</summary>
    public string? Kind { get; set; }
    public long? ContextTokens { get; set; }
    public long? MaxOutputTokens { get; set; }
}

/// <summary>Where a model can be had.</summary>
public sealed class ModelProvider
{
    public required Guid ProjectId { get; init; }
    public required string ModelId { get; init; }
    public required string ProviderId { get; init; }
    /// <summary>From 0 on; lower ones are tried first.</summary>
    public required int Position { get; set; }
    public required string UpstreamModel { get; set; }
    /// <summary>False: the model's prices apply.</summary>
    public required bool OwnPrices { get; set; }
}

/// <summary>What a model costs from an instant on. Immutable: usage records refer to it.</summary>
public sealed class PriceVersion
{
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    public required string ModelId { get; init; }
    /// <summary>The provider whose own price it is; null for the model's.</summary>
    public string? ProviderId { get; init; }
    /// <summary><see cref="Contracts.Prices"/> as JSON.</summary>
    public required string Prices { get; init; }
    public required DateTimeOffset ValidFrom { get; init; }
}

/// <summary>A vendor's model, whoever sells it.</summary>
public sealed class CatalogueModel
{
    public required string Vendor { get; init; }
    public required string Id { get; init; }
    public required string Kind { get; set; }
    /// <summary>Null: not stated.</summary>
    public long? ContextTokens { get; set; }
    public required long MaxOutputTokens { get; set; }
}

/// <summary>What a vendor's model costs from an instant on. Immutable: usage records refer to it.</summary>
public sealed class CataloguePrice
{
    public required Guid Id { get; init; }
    public required string Vendor { get; init; }
    public required string ModelId { get; init; }
    /// <summary><see cref="Contracts.Prices"/> as JSON.</summary>
    public required string Prices { get; init; }
    public required DateTimeOffset ValidFrom { get; init; }
    /// <summary>False: it came with the gateway.</summary>
    public required bool Imported { get; init; }
    public required string Source { get; init; }
    public required DateOnly CheckedOn { get; init; }
}
