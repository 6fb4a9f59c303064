namespace LlmGateway.Contracts;

/// <summary>Why a known credential may or may not be used now.</summary>
public enum CredentialStatus { Active, Revoked, Expired, CustomerBlocked, CustomerSuspended, CustomerDeleted, ProjectInactive }

/// <summary>
/// What the edge knows of a caller after <c>POST /internal/credentials</c>. It says who the caller is, what it may do, and which registers
/// pay. <see cref="MaxAge"/> and <see cref="MaxAgeWhenWatched"/> bound how long it is used.
/// </summary>
/// <param name="Id">Session id, key id or secret key id; a member's token stands for the member, and has the member's.</param>
/// <param name="Family">The family of a session. All its refreshed successors share it, and it owns the spend cap.</param>
/// <param name="ExpiresAt">The credential is refused after this instant. Null means never.</param>
/// <param name="Models">The models that it may call. Null allows what the project allows, and an empty list allows nothing.</param>
/// <param name="Registers">The balances that a request is charged from, where there is no <see cref="Claim"/>. Each request holds an amount
/// of every one, all or nothing. Without any the caller is metered and not charged.</param>
/// <param name="Wallet">The customer's wallet, null when the customer has none.</param>
public sealed record Credential(
    Guid Id, CredentialKind Kind, bool Test, CredentialStatus Status, Guid Organization, Guid Project, Guid? Customer, Guid? Family,
    Guid? Wallet, DateTimeOffset? ExpiresAt, IReadOnlyList<string>? Models, IReadOnlyList<RegisterRef> Registers, Rates? Rates)
{
    /// <summary>
    /// What its requests ask of registers, where that is more than <see cref="Registers"/> can say: limits, quota, credits. Null where it
    /// is not.
    /// </summary>
    public ClaimRule? Claim { get; init; }

    /// <summary>A key that may stand in the path of a request.</summary>
    public bool InPath { get; init; }

    /// <summary>What a secret key or a member may do. Null allows all, and an empty list nothing.</summary>
    public IReadOnlyList<string>? Permissions { get; init; }

    /// <summary>Which of its member's tokens it is. Null for all but those.</summary>
    public Guid? MemberToken { get; init; }

    /// <summary>The owner is told when the wallet falls below it. Null: never.</summary>
    public Money? LowMark { get; init; }

    /// <summary>The owner is told when so many percent of a limit are used, once each in a cycle. Null: the usual ones.</summary>
    public byte[]? Thresholds { get; init; }

    /// <summary>
    /// A copy is not used longer than this after its owner read it, unless every change since then has been heard of. So it bounds the time
    /// until a revocation acts when pushes are lost. With Redis a revocation is pushed within a second.
    /// </summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    /// <summary>A copy is not used longer than this in any case.</summary>
    public static readonly TimeSpan MaxAgeWhenWatched = TimeSpan.FromSeconds(60);
}

/// <summary>
/// <c>POST /internal/credentials</c>: what the owner knows of these fingerprints. The answer has a member for each that is known.
/// </summary>
public sealed record CredentialQuestion(IReadOnlyList<string> Fingerprints)
{
    public const int MaxAtOnce = 500;
}

/// <summary>Limits per minute of one customer, all its credentials together. Null means unlimited.</summary>
public sealed record Rates(int? RequestsPerMinute, int? TokensPerMinute);

/// <summary>Who makes a management call, as the edge identified it. It travels in a <see cref="ServiceCall"/>.</summary>
public sealed record Principal(
    CredentialKind Kind, Guid Credential, bool Test, Guid Organization, Guid Project, Guid? Customer, Guid? Wallet)
{
    /// <inheritdoc cref="Credential.Permissions"/>
    public IReadOnlyList<string>? Permissions { get; init; }

    /// <inheritdoc cref="Credential.ExpiresAt"/>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <inheritdoc cref="Credential.MemberToken"/>
    public Guid? MemberToken { get; init; }

    public static Principal Of(Credential credential) =>
        new(
            credential.Kind,
            credential.Id,
            credential.Test,
            credential.Organization,
            credential.Project,
            credential.Customer,
            credential.Wallet)
        {
            Permissions = credential.Permissions, ExpiresAt = credential.ExpiresAt, MemberToken = credential.MemberToken,
        };
}

/// <summary>
/// A message on the Redis channel <see cref="Channel"/>, which says what the proxies must forget at once. It is delivered at most once and
/// in any order. <see cref="Credential.MaxAge"/> bounds the effect of a lost one: the messages of a process of Sessions are numbered, and
/// each <see cref="Beat"/> says how many there were, so that a proxy notices what it has not heard. A kind that a proxy does not know makes
/// it distrust all copies.
/// </summary>
/// <param name="Kind">One of the constants below.</param>
/// <param name="Value">A credential's fingerprint, or an id in "N" form. Empty where nothing is named.</param>
public sealed record Invalidation(string Kind, string Value)
{
    public const string Channel = "llmgw:invalidate";

    /// <summary>Each process of Sessions sends a beat so often.</summary>
    public static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(1);

    /// <summary>A process that was not heard for so long counts as gone, and what it may have said as lost.</summary>
    public static readonly TimeSpan BeatMissedAfter = TimeSpan.FromSeconds(3);

    /// <summary>The process of Sessions that sends it; null for other services, whose messages are not numbered.</summary>
    public Guid? Sender { get; init; }

    /// <summary>Counts the sender's messages from 1. On a beat, which has none of its own, the number of the last one.</summary>
    public long Number { get; init; }

    /// <summary>Nothing has changed; the sender lives.</summary>
    public const string Beat = "beat";

    /// <summary>A credential was revoked, expired early, or changed. Running requests of a revoked one are ended.</summary>
    public const string CredentialChanged = "credential";

    /// <summary>A customer changed. All its credentials are read again.</summary>
    public const string CustomerChanged = "customer";

    /// <summary>A member of an organization was changed or removed, or its tokens were ended.</summary>
    public const string MemberChanged = "member";

    /// <summary>A project's models, prices, providers or origins changed.</summary>
    public const string ProjectChanged = "project";

    /// <summary>Prices or limits of the catalogue changed, which all projects use.</summary>
    public const string CatalogueChanged = "catalogue";

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
