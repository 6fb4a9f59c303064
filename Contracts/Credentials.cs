namespace LlmGateway.Contracts;

/// <summary>Why a known credential may or may not be used now.</summary>
public enum CredentialStatus { Active, Revoked, Expired, CustomerBlocked, CustomerSuspended, CustomerDeleted, ProjectInactive }

/// <summary>
/// What the edge knows of a caller after <c>GET /internal/credentials/{fingerprint}</c>. It says who the caller is, what it may do, and
/// which registers pay. It is never used longer than <see cref="MaxAge"/> after <see cref="ReadAt"/>.
/// </summary>
/// <param name="Id">Session id, key id or secret key id.</param>
/// <param name="Family">The family of a session. All its refreshed successors share it, and it owns the spend cap.</param>
/// <param name="ExpiresAt">The credential is refused after this instant. Null means never.</param>
/// <param name="Models">The models that it may call. Null allows what the project allows, and an empty list allows nothing.</param>
/// <param name="Registers">The charge vector. Each request holds an amount of every register, all or nothing. With an empty vector the
/// caller is metered and not charged.</param>
/// <param name="Wallet">The customer's wallet, null when the customer has none.</param>
/// <param name="ReadAt">When the database was read (UTC).</param>
public sealed record Credential(
    Guid Id, CredentialKind Kind, bool Test, CredentialStatus Status, Guid Organization, Guid Project, Guid? Customer, Guid? Family,
    Guid? Wallet, DateTimeOffset? ExpiresAt, IReadOnlyList<string>? Models, IReadOnlyList<RegisterRef> Registers, Rates? Rates,
    DateTimeOffset ReadAt)
{
    /// <summary>Upper bound of the time until a revocation acts when Redis is down. With Redis it is pushed within a second.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);
}

/// <summary>Limits per minute of one customer, all its credentials together. Null means unlimited.</summary>
public sealed record Rates(int? RequestsPerMinute, int? TokensPerMinute);

/// <summary>
/// Who makes a management call, as the edge identified it. It travels in the header <see cref="Header"/>, with the internal key.
/// </summary>
public sealed record Principal(
    CredentialKind Kind, Guid Credential, bool Test, Guid Organization, Guid Project, Guid? Customer, Guid? Wallet)
{
    /// <summary>Base64 of this record as JSON. Inbound copies are stripped at the edge.</summary>
    public const string Header = "X-Gateway-Principal";

    public static Principal Of(Credential credential) =>
        new(
            credential.Kind,
            credential.Id,
            credential.Test,
            credential.Organization,
            credential.Project,
            credential.Customer,
            credential.Wallet);
}

/// <summary>
/// A message on the Redis channel <see cref="Channel"/>, which says what the proxies must forget at once. It is delivered at most once.
/// <see cref="Credential.MaxAge"/> bounds the effect of a lost one.
/// </summary>
/// <param name="Kind">One of the constants below.</param>
/// <param name="Value">A credential's fingerprint, or an id in "N" form.</param>
public sealed record Invalidation(string Kind, string Value)
{
    public const string Channel = "llmgw:invalidate";

    /// <summary>A credential was revoked, expired early, or changed. Running requests of a revoked one are ended.</summary>
    public const string CredentialChanged = "credential";

    /// <summary>A customer changed. All its credentials are read again.</summary>
    public const string CustomerChanged = "customer";

    /// <summary>A project's models, prices, providers or origins changed.</summary>
    public const string ProjectChanged = "project";

    /// <summary>A register was frozen. No further request may be admitted on what is leased of it.</summary>
    public const string RegisterFrozen = "register";

    public static string CredentialKey(string fingerprint) => $"llmgw:credential:{fingerprint}";

    public static string ProjectKey(Guid project) => $"llmgw:project:{project:N}";
}

/// <summary><c>POST /internal/keys/used</c> reports when keys were last used. Late and repeated reports do no harm.</summary>
public sealed record KeyUses(IReadOnlyList<KeyUsed> Credentials)
{
    public const int MaxAtOnce = 1000;
}

public sealed record KeyUsed(Guid Id, DateTimeOffset At);
