namespace LlmGateway.Billing;

/// <summary>What Stripe says of a subscription, as far as a plan follows from it.</summary>
/// <param name="Item">Stripe's item that is the plan, and its price.</param>
/// <param name="Cents">What that costs a period.</param>
/// <param name="IsPaid">Whether its latest invoice is.</param>
/// <param name="PaidTo">Until when that invoice pays. Null: it is not paid, or pays for no period.</param>
public sealed record SaidSubscription(
    string Id, string Status, string Item, string Price, long Cents, DateTimeOffset StartedAt, DateTimeOffset Anchor,
    DateTimeOffset PeriodStart, DateTimeOffset? TrialEnd, DateTimeOffset? CancelAt, DateTimeOffset? EndedAt, bool IsPaid,
    DateTimeOffset? PaidTo)
{
    /// <summary>Stripe's item of what is used beyond the quota, and its price. Null: it has none.</summary>
    public string? MeteredItem { get; init; }

    public string? MeteredPrice { get; init; }

    /// <inheritdoc cref="SubscriptionCalls.IntervalOf"/>
    public string? Interval { get; init; }

    public const string Paid = "paid";

    public const string Metered = "metered";

    /// <param name="said">With its latest invoice.</param>
    /// <exception cref="NotOursException">It has no item that is a plan.</exception>
    public static SaidSubscription Of(global::Stripe.Subscription said)
    {
        var item = said.Items?.Data?.Find(one => one.Price?.Recurring?.UsageType != Metered)
            ?? throw new NotOursException($"subscription {said.Id} has no item that is a plan");
        var metered = said.Items.Data.Find(one => one.Price?.Recurring?.UsageType == Metered);
        var invoice = said.LatestInvoice;
        return new(
            said.Id, said.Status, item.Id, item.Price.Id, item.Price.UnitAmount ?? 0, Utc(said.StartDate), Utc(said.BillingCycleAnchor),
            Utc(item.CurrentPeriodStart), Utc(said.TrialEnd), Utc(said.CancelAt), Utc(said.EndedAt), invoice?.Status == Paid,
            invoice is null ? null : PaidToOf(invoice))
        {
            MeteredItem = metered?.Id, MeteredPrice = metered?.Price.Id, Interval = SubscriptionCalls.IntervalOf(item.Price),
        };
    }

    /// <summary>With what another invoice of it pays.</summary>
    public SaidSubscription AlsoPaidBy(global::Stripe.Invoice? invoice) =>
        invoice is not null && PaidToOf(invoice) is { } until && !(PaidTo >= until) ? this with { PaidTo = until } : this;

    /// <summary>
    /// The end of the last period that an invoice pays. What of it changes a period that runs pays for none: that is another invoice's.
    /// </summary>
    public static DateTimeOffset? PaidToOf(global::Stripe.Invoice invoice) => invoice.Status != Paid
        ? null
        : Utc(invoice.Lines?.Data?
            .Where(line => line.Parent?.SubscriptionItemDetails is { Proration: false } && line.Amount >= 0)
            .Max(line => (DateTime?)line.Period.End));

    static DateTimeOffset Utc(DateTime moment) => new(DateTime.SpecifyKind(moment, DateTimeKind.Utc));

    static DateTimeOffset? Utc(DateTime? moment) => moment is { } known ? Utc(known) : null;
}
