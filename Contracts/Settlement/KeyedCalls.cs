namespace LlmGateway.Contracts;

/// <summary>
/// <c>POST /internal/calls</c>: a proxy is about to run a call that has an <c>Idempotency-Key</c>. 204: it may, and the key is taken
/// until the call ends. Otherwise nothing is to run: 200 with the sealed answer of the call that has ended, 409 while one runs, 410 when
/// one was charged and its answer is not kept, 422 when one with another input has the key.
/// </summary>
/// <param name="Call">What the key stands for: follows from the caller, the route and the key.</param>
/// <param name="Owner">Whose answers count together, see <see cref="KeyTerms.OwnerBytes"/>.</param>
/// <param name="Request">The request that wants to run. A repetition with the same one has the key already.</param>
/// <param name="Holder">The proxy, as leases know it.</param>
/// <param name="InputHash">SHA-256 of what was asked.</param>
public sealed record KeyRequest(Guid Call, Guid Owner, Guid Request, string Holder, byte[] InputHash);

/// <summary>
/// <c>POST /internal/calls/renew</c>: these calls still run here, or have ended and their settlements are under way. The answer has those
/// that the ledger still counts as running.
/// </summary>
public sealed record KeyRenewal(IReadOnlyList<Guid> Requests)
{
    public const int MaxAtOnce = 1000;
}

/// <summary>How long keys are taken and how much is kept for them.</summary>
public static class KeyTerms
{
    /// <summary>A key is known, and its answer is kept, for so long after its call has ended.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromHours(24);

    /// <summary>A call whose proxy is silent for so long is doubted.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(60);

    /// <summary>
    /// The time from the doubt to the moment in which the key is free. After an outage of the ledger every call is overdue, and the proxies
    /// that live renew theirs within it.
    /// </summary>
    public static readonly TimeSpan Doubt = TimeSpan.FromSeconds(15);

    /// <summary>Each proxy renews its calls so often.</summary>
    public static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(5);

    /// <summary>Largest answer that is kept, sealed.</summary>
    public const int MaxAnswerBytes = 1024 * 1024;

    /// <summary>
    /// Most of all answers of one owner. What is oldest leaves first, and its call counts as charged without an answer.
    /// </summary>
    public const long OwnerBytes = 64 * 1024 * 1024;

    /// <summary>What an answer counts besides its bytes, so that many small ones are bounded, too.</summary>
    public const int RowBytes = 512;
}
