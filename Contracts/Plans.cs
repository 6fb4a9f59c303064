namespace LlmGateway.Contracts;

/// <summary><c>GET /internal/projects/{project}/plans</c>: what a project sells by the month.</summary>
public sealed record SoldPlans(IReadOnlyList<SoldPlan> Plans);

/// <param name="Price">USD a month.</param>
/// <param name="StripePrice">Stripe's price, as its owner has made it there. Null: Billing makes one.</param>
/// <param name="GraceDays">How long it is served after a payment has failed. Null: as long as Stripe tries.</param>
/// <param name="OveragePicos">
/// What its invoice asks for tokens beyond the quota, USD per million in pico-dollars. Null: nothing.
/// </param>
public sealed record SoldPlan(
    string Id, string Name, Money Price, int TrialDays, string? StripePrice, int? GraceDays, long? OveragePicos = null);

/// <summary><c>GET /internal/projects/{project}/customers?name=&amp;test=</c>: who is meant by an id or an external id.</summary>
public sealed record NamedCustomer(Guid Id);

/// <summary>
/// <c>PUT /internal/customers/{customer}/plan</c>: what a subscription gives its customer. Repeatable; what is older than what was said
/// last changes nothing.
/// </summary>
/// <param name="Version">Of all that Billing says of customers' plans, in the order in which it was decided.</param>
/// <param name="StartsAt">When the subscription began.</param>
/// <param name="Anchor">From which its months are counted, before and after it.</param>
/// <param name="PaidTo">Months that begin from here on have no quota: nobody has paid for them yet.</param>
/// <param name="EndsAt">Null: until somebody ends it.</param>
public sealed record SubscribedPlan(
    Guid Subscription, long Version, string Plan, DateTimeOffset StartsAt, DateTimeOffset Anchor, DateTimeOffset PaidTo,
    DateTimeOffset? EndsAt);
