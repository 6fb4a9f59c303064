using LlmGateway.Contracts;

namespace LlmGateway.Billing;

/// <summary>
/// How much of a payment is taken back. It follows from what its refunds and disputes are, and from nothing that came before: whatever
/// order their events come in, and however often, the end is the same.
/// </summary>
public static class Reversal
{
    /// <summary>In cents: all that was given back or is being given back to the card, at most what it has paid.</summary>
    public static long CentsOf(long paid, IEnumerable<Refund> refunds, IEnumerable<Dispute> disputes) => Math.Min(
        paid,
        refunds.Where(refund => refund.Counts).Sum(refund => refund.Cents)
            + disputes.Where(dispute => dispute.Counts).Sum(dispute => dispute.Cents));

    /// <summary>What the ledger must have taken back by now.</summary>
    public static Parts Target(Parts paid, IEnumerable<Refund> refunds, IEnumerable<Dispute> disputes) =>
        paid.Of(CentsOf(paid.Sum / Quote.NanosPerCent, refunds, disputes) * Quote.NanosPerCent);

    /// <summary>What brings the ledger there; null when it is there.</summary>
    /// <param name="taken">What the ledger has taken back.</param>
    /// <param name="ofDispute">Whether a dispute is why.</param>
    public static (PaymentPost Type, Parts Amount)? Step(Parts target, Parts taken, bool ofDispute) => (target - taken) switch
    {
        { Net: 0, Margin: 0, Fee: 0 } => null,
        { Net: > 0 } more => (ofDispute ? PaymentPost.Dispute : PaymentPost.Refund, more),
        var less => (ofDispute ? PaymentPost.DisputeWon : PaymentPost.RefundFailed, -less),
    };

    /// <summary>The most cents that can be refunded so that the wallet pays no more than <paramref name="net"/> for them.</summary>
    /// <param name="cents">What is taken back already.</param>
    public static long Refundable(Parts paid, long cents, long net)
    {
        var (all, taken) = (paid.Sum / Quote.NanosPerCent, paid.Of(cents * Quote.NanosPerCent).Net);
        // Net grows with each cent by no less than one part of it, so the last cent that fits is found by halving.
        var (fits, tooMuch) = (cents, all + 1);
        while (tooMuch - fits > 1)
        {
            var middle = fits + (tooMuch - fits) / 2;
            if (paid.Of(middle * Quote.NanosPerCent).Net - taken <= net)
                fits = middle;
            else
                tooMuch = middle;
        }
        return fits - cents;
    }
}

/// <summary>A part of a payment that goes back to the card.</summary>
/// <param name="Status">Stripe's, and before that ours: <c>new</c>, <c>booked</c>; <c>refused</c>: Stripe was never asked.</param>
public sealed record Refund(Guid Id, Guid Payment, long Cents, string Status, string? Stripe)
{
    public bool Counts => Status is not ("failed" or "canceled" or "refused");
}

/// <summary>A payment, or a part of it, that the card's owner wants back from the bank.</summary>
/// <param name="Status">Stripe's.</param>
public sealed record Dispute(string Id, long Cents, string Status)
{
    /// <summary>
    /// Stripe has taken the money and not given it back. An inquiry (<c>warning_…</c>) takes none, and one that was won has come back.
    /// </summary>
    public bool Counts => !IsInquiry && Status is not ("won" or "prevented" or "appeal_won");

    public bool IsOpen => Status is "needs_response" or "under_review";

    /// <summary>All that there are, in Stripe's words.</summary>
    public static readonly IReadOnlyList<string> Statuses =
    [
        "warning_needs_response", "warning_under_review", "warning_closed", "needs_response", "under_review", "won", "lost", "prevented",
        "appeal_needs_response", "appeal_under_review", "appeal_won", "appeal_lost",
    ];

    /// <summary>Nobody knows yet whether the money comes back.</summary>
    public bool IsUndecided => IsOpen || IsAppeal;

    /// <summary>Those of which nobody knows yet whether the money comes back, in SQL.</summary>
    public const string Undecided = "('needs_response', 'under_review', 'appeal_needs_response', 'appeal_under_review')";

    /// <summary>It was decided. What was decided is never open again; an appeal may still win it.</summary>
    public bool IsClosed => Status == "warning_closed" || (!IsOpen && !IsInquiry);

    /// <summary>One that was lost is looked at again.</summary>
    bool IsAppeal => Status is "appeal_needs_response" or "appeal_under_review";

    /// <summary>
    /// What it is after it was read from Stripe. What somebody has read before it was decided may arrive later, and so may what they have
    /// read before an appeal was won.
    /// </summary>
    public static Dispute After(Dispute? before, Dispute said) =>
        before is { IsClosed: true } && (!said.IsClosed || (said.IsAppeal && !before.Counts)) ? before : said;

    /// <summary>Its decision is news: the first one, and that of an appeal.</summary>
    public bool IsNews(Dispute? before) =>
        IsClosed && !IsAppeal && (before is not { IsClosed: true, IsAppeal: false } || before.Counts != Counts);

    bool IsInquiry => Status.StartsWith("warning_", StringComparison.Ordinal);
}
