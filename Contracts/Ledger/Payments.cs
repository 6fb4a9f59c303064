namespace LlmGateway.Contracts;

/// <summary>What Billing has the ledger book. Each is a post of the same name.</summary>
public enum PaymentPost { TopUp, Refund, RefundFailed, Dispute, DisputeWon }

/// <summary>
/// <c>POST /internal/posts</c> books what a payment has brought or what was taken back of it. Repeatable under its id for ever.
/// </summary>
/// <param name="Customer">Whose wallet it is.</param>
/// <param name="Net">The wallet's part, nano-dollars.</param>
/// <param name="Margin">The developer's.</param>
/// <param name="Fee">The platform's.</param>
/// <param name="Reference">The payment, refund or dispute that it stands for, as its owner knows it.</param>
public sealed record BookPayment(
    Guid Id, PaymentPost Type, Guid Organization, Guid Project, Guid Customer, Guid Wallet, bool Test, long Net, long Margin, long Fee,
    string Reference)
{
    /// <summary>Of what is taken back or comes back: the lot that the payment has made, which has the top-up's id.</summary>
    public Guid? Lot { get; init; }

    /// <summary>Refused when the wallet has less of it than what is asked.</summary>
    public bool WithoutDebt { get; init; }
}

public enum PaymentOutcome { Done, NotEnough, UnknownWallet, IdUsed }

/// <param name="Available">When there was not enough: what there was, nano-dollars.</param>
public sealed record BookedPayment(PaymentOutcome Outcome, long Available);

/// <summary><c>GET /internal/wallets/{wallet}</c>: what Billing must know before it takes or gives back money.</summary>
/// <param name="Free">What no request holds, nano-dollars.</param>
/// <param name="Lots">What is left of each lot.</param>
public sealed record WalletState(bool Frozen, long Free, IReadOnlyDictionary<Guid, long> Lots);

/// <summary><c>PUT /internal/wallets/{wallet}/frozen</c>.</summary>
public sealed record SetFrozen(bool Frozen);

/// <summary><c>GET /internal/customers/{customer}/profile</c>: how a customer is printed.</summary>
public sealed record CustomerProfile(string ExternalId, string? Name, string? Company, string? Email);

/// <summary><c>GET /internal/projects/{project}/terms</c>: what a top-up costs there. Parts per million.</summary>
public sealed record ProjectTerms(Guid Organization, string Name, bool Active, long MarkupPpm, long PlatformFeePpm);
