using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>
/// <c>PUT /v1/subscriptions/{id} {plan}</c>: another plan. A dearer one is in force at once, when the card has paid the difference for the
/// rest of the period; a cheaper one with the next period. The plan that is in force again takes back what was to come.
/// </summary>
public static class ChangeSubscription
{
    /// <summary>As long as all calls of Stripe take together at most.</summary>
    static readonly TimeSpan HoldTime = 8 * StripeHttp.CallTimeout;

    public sealed record Request(string Plan);

    public static void MapChangeSubscription(this WebApplication app) =>
        app.MapPut("/v1/subscriptions/{id}", HandleAsync).WithRefusals();

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, Subscriptions subscriptions, Subscribers subscribers, SubscriptionCalls stripe, StripeModes modes,
        SessionsClient sessions, NpgsqlDataSource database, CancellationToken token)
    {
        var (caller, input) = (http.Backend(), await Body.ReadAsync<Request>(http));
        if (await ListSubscriptions.FindAsync(database, caller, id, token) is not { } row)
            return ListSubscriptions.NotFound;
        if (modes.Of(row.Test, row.Livemode) is not { } mode)
            return StartTopUp.NotSetUp(caller.Test);
        var sold = await sessions.PlansAsync(caller.Project, token);
        if (sold.Plans.FirstOrDefault(one => one.Id == input.Plan) is not { } plan)
            return Problems.NotFound("plan");
        if (await database.TryHoldAsync(row.Id, HoldTime, token) is not { } held)
            return Problems.Conflict("subscription_busy", "Another call changes the subscription. Try again in a moment.");
        try
        {
            row = (await database.SubscriptionAsync(row.Id, token))!;
            return await ChangeAsync(http, mode, row, plan, sold, subscriptions, subscribers, stripe, database, token);
        }
        finally
        {
            await database.LetGoAsync(row.Id, held);
        }
    }

    static async Task<IResult> ChangeAsync(
        HttpContext http, StripeMode mode, Subscription row, SoldPlan plan, SoldPlans sold, Subscriptions subscriptions,
        Subscribers subscribers, SubscriptionCalls stripe, NpgsqlDataSource database, CancellationToken token)
    {
        row = await subscriptions.LookAsync(mode, row, token);
        if (row is not { Stripe: { } known, Status: Subscription.Active or Subscription.Trialing })
            return Problems.Conflict("not_active", $"The subscription is {row.Status}, and only one that is paid can have another plan.");
        if (plan.Id == (row.NextPlan ?? row.Plan))
            return Show(row);
        var (prices, cents) = await subscribers.PricesAsync(mode, row.Project, plan, token);
        var isDearer = plan.Id != row.Plan && cents > row.Cents;
        var said = SaidSubscription.Of(await stripe.SubscriptionAsync(mode, known, token));
        if (!SubscriptionStates.IsPeriodPaid(row, said))
            return Problems.Conflict("period_not_paid", "The period that runs is not paid yet. Try again when it is.");
        if (!isDearer && said.Interval != await subscribers.IntervalAsync(mode, plan, token))
            return OtherInterval;
        await database.AuditAsync(
            http, row, "plan_asked", new { Plan = row.NextPlan ?? row.Plan }, new { Plan = plan.Id }, token);
        var waits = isDearer && row.NextPlan is not null;
        try
        {
            // What is dearer is charged from what was paid for this period, and not from the cheaper one that was to come.
            if (waits && sold.Plans.FirstOrDefault(one => one.Id == row.Plan) is { } own)
                await stripe.ChangePriceAsync(mode, said, (await PaidAsync(row, own)).Prices, isDearer: false, token);
            row = (await database.SubscriptionAsync(row.Id, token))!;
            var changed = await stripe.ChangePriceAsync(mode, said, prices, isDearer, token);
            return Show(await subscriptions.TakeChangedAsync(mode, row, changed, token));
        }
        catch (StripeRefusalException e)
        {
            if (waits)
                await stripe.ChangePriceAsync(mode, said, (said.Price, null), isDearer: false, token);
            await subscriptions.LookAsync(mode, (await database.SubscriptionAsync(row.Id, token))!, token);
            if (e.InnerException is StripeException { StripeError.Type: "card_error" })
                return Problems.Conflict("card_declined", "The card was declined, and the plan stays as it is.");
            throw;
        }

        // Its price may be another one by now.
        Task<((string Plan, string? Overage) Prices, long Cents)> PaidAsync(Subscription of, SoldPlan own) =>
            subscribers.PricesAsync(mode, of.Project, own with { Price = new(of.Cents * Quote.NanosPerCent) }, token);
    }

    /// <summary>Stripe would begin a new period, charge it now, and give nothing back of the one that is paid.</summary>
    static Problem OtherInterval => Problems.Conflict(
        "other_interval", "The plan is paid at other intervals. Nothing of the period that is paid would come back: end it first.");

    static IResult Show(Subscription row) => Results.Json(ListSubscriptions.Show(row), Defaults.Json);
}
