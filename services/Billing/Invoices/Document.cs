using System.Text.Json.Serialization;
using LlmGateway.Contracts;

namespace LlmGateway.Billing;

/// <summary>The two series of documents, each with numbers of its own.</summary>
public enum DocumentKind
{
    /// <summary>What the buyer owes, or owes again, and has paid.</summary>
    Invoice,
    /// <summary>What the buyer does not owe any more.</summary>
    CreditNote,
}

/// <summary>Who sells, as it is printed.</summary>
/// <param name="Address">Lines are separated by line feeds.</param>
/// <param name="TimeZone">Whose calendar a document's date is of.</param>
public sealed record Seller(string Name, string Address, string? TaxId, string? Email, string TimeZone);

/// <summary>Who buys, as it is printed. All but the id may be missing.</summary>
public sealed record Buyer(string Id, string? ExternalId, string? Name, string? Company, string? Email);

/// <param name="Amount">Whole cents.</param>
public sealed record DocumentLine(string Description, Money Amount);

/// <param name="Percent">As Stripe writes it.</param>
/// <param name="Amount">Within the total.</param>
/// <param name="Reason">Why so much or none, in Stripe's word: <c>standard_rated</c>, <c>reverse_charge</c> …</param>
public sealed record TaxLine(string Name, string Percent, Money Amount, string? Reason);

/// <summary>What a document says beside its number and date.</summary>
public sealed record DocumentContent(Seller Seller, Buyer Buyer, IReadOnlyList<DocumentLine> Lines, IReadOnlyList<TaxLine> Taxes);

/// <summary>A document was wrong in what it says. It keeps its number and does not count any more.</summary>
/// <param name="By">The one that is in its place, and its number.</param>
public sealed record Voided(string Reason, DateTimeOffset At, (Guid Id, long Number) By);

/// <summary>
/// A document for what the ledger has booked of a payment. It is made once and never changes. Its total is what the ledger has moved, to
/// the cent; a credit note's is what it takes away.
/// </summary>
/// <param name="Payment">Of a wallet's, or for a plan.</param>
/// <param name="Corrects">The invoice of what was sold and its number; null when it is that one.</param>
/// <param name="Parts">As the ledger has booked it.</param>
public sealed record Document(
    Guid Id, DocumentKind Kind, long Number, PaymentPost Reason, bool Test, Guid Customer, Guid Payment, (Guid Id, long Number)? Corrects,
    DateTimeOffset IssuedAt, DateOnly Date, Parts Parts, DocumentContent Content)
{
    /// <summary>Null: it counts.</summary>
    public Voided? Voided { get; init; }

    /// <summary>Whose payment for a plan it is of. Null: it is of a wallet's.</summary>
    public Guid? Subscription { get; init; }

    /// <summary>The void document in whose place it is, and its number.</summary>
    public (Guid Id, long Number)? Replaces { get; init; }

    /// <summary>Digits of a number. A larger one has more.</summary>
    const int Digits = 6;

    public long Cents => Parts.Sum / Quote.NanosPerCent;

    public Money Total => new(Parts.Sum);

    public Money Tax => new(Content.Taxes.Sum(tax => tax.Amount.Nanos));

    public string ShownNumber => Show(Kind, Number, Test);

    public static string Show(DocumentKind kind, long number, bool test) =>
        $"{(test ? "TEST-" : "")}{(kind == DocumentKind.Invoice ? "INV" : "CN")}-{number.ToString($"D{Digits}")}";

    /// <summary>
    /// The series of what was booked. What comes back to the seller, because a refund has failed or a dispute was won, is an invoice again:
    /// a credit note that somebody has cannot be taken away, and nothing has a negative sum.
    /// </summary>
    public static DocumentKind KindOf(PaymentPost reason) => reason switch
    {
        PaymentPost.TopUp or PaymentPost.RefundFailed or PaymentPost.DisputeWon
            or PaymentPost.PlanPaid or PaymentPost.PlanRestored => DocumentKind.Invoice,
        PaymentPost.Refund or PaymentPost.Dispute or PaymentPost.PlanRefunded => DocumentKind.CreditNote,
        _ => throw new InvalidOperationException($"{reason} has no document"),
    };

    /// <summary>
    /// What a buyer has bought: credit, and the service of buying it. Whose part of the credit's price is the developer's, is not the
    /// buyer's. Lines have whole cents, as the total has; what rounding takes from one is the other's. Rounded is what has gone back so
    /// far, and not each part of it, so that all credit notes of a payment together credit no line with more than its invoice has.
    /// </summary>
    /// <param name="feeGoneBack">Nano-dollars, by the payment's documents before this one.</param>
    public static IReadOnlyList<DocumentLine> LinesOf(PaymentPost reason, Parts parts, long feeGoneBack = 0)
    {
        var total = parts.Sum / Quote.NanosPerCent;
        var after = reason == PaymentPost.TopUp || KindOf(reason) == DocumentKind.CreditNote
            ? feeGoneBack + parts.Fee : feeGoneBack - parts.Fee;
        var fee = Math.Clamp(Math.Abs(Rounded(after) - Rounded(feeGoneBack)), 0, total);
        var lines = new List<DocumentLine>();
        if (total > fee)
            lines.Add(new(Describe(reason, "Credit"), new((total - fee) * Quote.NanosPerCent)));
        if (fee > 0)
            lines.Add(new(Describe(reason, "Service fee"), new(fee * Quote.NanosPerCent)));
        return lines;
    }

    /// <summary>What a buyer has paid for a plan, or got back of that.</summary>
    public static IReadOnlyList<DocumentLine> LinesOf(PaymentPost reason, string plan, long nanos) =>
        [new(Describe(reason, $"Subscription to {plan}"), new(nanos))];

    /// <summary>In cents.</summary>
    static long Rounded(long nanos) => (nanos + Quote.NanosPerCent / 2) / Quote.NanosPerCent;

    static string Describe(PaymentPost reason, string what) => reason switch
    {
        PaymentPost.TopUp or PaymentPost.PlanPaid => what,
        PaymentPost.Refund or PaymentPost.PlanRefunded => $"{what}, refunded",
        PaymentPost.PlanRestored => $"{what}, which did not go back",
        PaymentPost.RefundFailed => $"{what}, whose refund has failed",
        PaymentPost.Dispute => $"{what}, disputed at the bank",
        PaymentPost.DisputeWon => $"{what}, whose dispute was won",
        _ => throw new InvalidOperationException($"{reason} has no document"),
    };

    /// <summary>As callers and tables name it.</summary>
    public static string NameOf(PaymentPost reason) => reason switch
    {
        PaymentPost.TopUp => "top_up",
        PaymentPost.Refund => "refund",
        PaymentPost.RefundFailed => "refund_failed",
        PaymentPost.Dispute => "dispute",
        PaymentPost.DisputeWon => "dispute_won",
        PaymentPost.PlanPaid => "subscription",
        PaymentPost.PlanRefunded => "subscription_refund",
        PaymentPost.PlanRestored => "subscription_restored",
        _ => throw new InvalidOperationException($"{reason} has no document"),
    };

    public static PaymentPost ReasonOf(string name) => name switch
    {
        "top_up" => PaymentPost.TopUp,
        "refund" => PaymentPost.Refund,
        "refund_failed" => PaymentPost.RefundFailed,
        "dispute" => PaymentPost.Dispute,
        "dispute_won" => PaymentPost.DisputeWon,
        "subscription" => PaymentPost.PlanPaid,
        "subscription_refund" => PaymentPost.PlanRefunded,
        "subscription_restored" => PaymentPost.PlanRestored,
        _ => throw new InvalidOperationException($"'{name}' is no reason for a document"),
    };

    public static string NameOf(DocumentKind kind) => kind == DocumentKind.Invoice ? "invoice" : "credit_note";

    public static DocumentKind KindOf(string name) => name == "invoice" ? DocumentKind.Invoice : DocumentKind.CreditNote;

    public DocumentView Show() => new(
        Ids.Show(Ids.Invoice, Id), ShownNumber, NameOf(Kind), NameOf(Reason), Date, IssuedAt, Ids.Show(Ids.Customer, Customer),
        Subscription is null ? Ids.Show(Ids.Payment, Payment) : null,
        Corrects is { } corrected ? Ids.Show(Ids.Invoice, corrected.Id) : null,
        Corrects is { } known ? Show(DocumentKind.Invoice, known.Number, Test) : null, Content.Seller, Content.Buyer, Content.Lines,
        Content.Taxes, "USD", Tax, Total)
    {
        SubscriptionId = Subscription is { } of ? Ids.Show(Ids.Subscription, of) : null,
        Void = Voided is { } gone ? new(gone.Reason, gone.At, Ids.Show(Ids.Invoice, gone.By.Id), Show(Kind, gone.By.Number, Test)) : null,
        Replaces = Replaces is { } wrong ? Ids.Show(Ids.Invoice, wrong.Id) : null,
        ReplacesNumber = Replaces is { } before ? Show(Kind, before.Number, Test) : null,
    };
}

/// <summary>Why a document does not count any more.</summary>
public sealed record VoidView(string Reason, DateTimeOffset At, string ReplacedBy, string ReplacedByNumber);

/// <summary>A document as callers get it.</summary>
/// <param name="Corrects">Absent when it corrects none.</param>
/// <param name="Tax">Within the total.</param>
public sealed record DocumentView(
    string Id, string Number, string Kind, string Reason, DateOnly Date, DateTimeOffset IssuedAt, string CustomerId,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? PaymentId,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Corrects,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? CorrectsNumber,
    Seller Seller, Buyer Buyer, IReadOnlyList<DocumentLine> Lines, IReadOnlyList<TaxLine> Taxes, string Currency, Money Tax, Money Total)
{
    /// <summary>In place of a payment of a wallet's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SubscriptionId { get; init; }

    /// <summary>Absent: it counts.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public VoidView? Void { get; init; }

    /// <summary>The void document in whose place it is; absent when there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Replaces { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ReplacesNumber { get; init; }
}
