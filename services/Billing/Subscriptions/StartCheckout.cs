using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/subscriptions/checkout {customer, plan, successUrl, cancelUrl}</c>: Stripe's page on which a customer subscribes to a plan.
/// Our row is there before Stripe's checkout. A customer has one subscription at a time: a checkout that is open is given out again, one of
/// another plan is replaced, and with a subscription in force there is none.
/// </summary>
public static class StartCheckout
{
    /// <summary>Others may change the customer's row meanwhile; after so many attempts the caller is told to come again.</summary>
    const int MaxAttempts = 6;

    /// <summary>A checkout that ends sooner is no use to anybody.</summary>
    static readonly TimeSpan LeastLeft = TimeSpan.FromMinutes(5);

    /// <param name="Customer">An id, or the external id.</param>
    public sealed record Request(string Customer, string Plan, string SuccessUrl, string CancelUrl);

    /// <param name="TrialDays">0 for one who had a trial.</param>
    public sealed record Answer(string Url, string SubscriptionId, DateTimeOffset ExpiresAt, int TrialDays);

    public static void MapStartCheckout(this WebApplication app) =>
        app.MapPost("/v1/subscriptions/checkout", HandleAsync).WithIdempotency().WithRefusals();

    static async Task<IResult> HandleAsync(
        HttpContext http, Subscriptions subscriptions, Subscribers subscribers, SubscriptionCalls stripe, StripeModes modes,
        SessionsClient sessions, Trust trust, NpgsqlDataSource database, TimeProvider time, CancellationToken token)
    {
        var (caller, input) = (http.Backend(), await Body.ReadAsync<Request>(http));
        if ((Onboard.Refuse("successUrl", input.SuccessUrl) ?? Onboard.Refuse("cancelUrl", input.CancelUrl)) is { } mistake)
            return mistake;
        if (modes.Of(caller.Test) is not { } mode)
            return StartTopUp.NotSetUp(caller.Test);
        if (await sessions.CustomerAsync(caller.Project, caller.Test, input.Customer, token) is not { } customer)
            return Problems.NotFound("customer");
        // Whose cards were declined too often tries no further ones on this page either.
        if ((await trust.OfAsync(mode, caller.Project, customer.Id, token)).RefuseFrozen() is { } frozen)
            return frozen;
        var sold = await sessions.PlansAsync(caller.Project, token);
        if (sold.Plans.FirstOrDefault(one => one.Id == input.Plan) is not { } plan)
            return Problems.NotFound("plan");
        for (var i = 0; i < MaxAttempts; i++)
        {
            var (prices, cents) = await subscribers.PricesAsync(mode, caller.Project, plan, token);
            if (await database.RunningSubscriptionAsync(customer.Id, mode.Livemode, token) is not { } row)
            {
                var days = await HadTrialAsync(database, customer.Id, token) ? 0 : plan.TrialDays;
                await database.TryAddAsync(
                    new Subscription(
                        Ids.New(), caller.Organization, caller.Project, customer.Id, caller.Test, mode.Livemode, plan.Id, cents, days,
                        Subscription.New, default),
                    token);
                Failpoint.Hit("billing.subscription.added");
                continue;
            }
            if (row.Status != Subscription.New || row.Plan != plan.Id || row.Cents != cents || Subscriptions.IsLeft(row))
            {
                if (await OfRunningAsync(mode, row, (plan.Id, cents), subscriptions, time.GetUtcNow(), token) is { } answer)
                    return answer;
                continue;
            }
            try
            {
                var subscriber = await subscribers.OpenAsync(mode, caller.Organization, customer.Id, token);
                var made = await stripe.CreateCheckoutAsync(mode, row, subscriber, prices, input.SuccessUrl, input.CancelUrl, token);
                Failpoint.Hit("billing.checkout.created");
                if (await subscriptions.BeginAsync(row, made, token) is { Url: { } url, ExpiresAt: { } end } open)
                    return Show(open, url, end);
            }
            catch (StripeRefusalException e)
            {
                // Its key stands for this refusal for a day.
                await subscriptions.EndAsync(row, token);
                if (e.Code != StripeRefusalException.NoSuchObject || !mode.IsSandbox)
                    throw;
                await subscribers.ForgetAsync(caller.Project, customer.Id, mode.Livemode, token);
            }
        }
        return Problems.Unavailable;
    }

    /// <summary>The answer while a subscription is not over. Null: it is over now, and another one may begin.</summary>
    /// <param name="wanted">The plan, and what it costs.</param>
    static async Task<IResult?> OfRunningAsync(
        StripeMode mode, Subscription row, (string Plan, long Cents) wanted, Subscriptions subscriptions, DateTimeOffset now,
        CancellationToken token)
    {
        row = await subscriptions.LookAsync(mode, row, token);
        if (row.EndedAt is not null)
            return null;
        if (!row.IsBegun)
            return Problems.Conflict(
                "already_subscribed",
                $"The customer has the subscription {Ids.Show(Ids.Subscription, row.Id)}. Change its plan, or end it first.");
        if (row is { Status: Subscription.New })
            return Problems.Unavailable; // another call is about to make its checkout
        if (row is { Url: { } url, ExpiresAt: { } end } && (row.Plan, row.Cents) == wanted && end > now + LeastLeft)
            return Show(row, url, end);
        await subscriptions.DropAsync(mode, row, token);
        return null;
    }

    static IResult Show(Subscription row, string url, DateTimeOffset end) =>
        Results.Json(new Answer(url, Ids.Show(Ids.Subscription, row.Id), end, row.TrialDays), Defaults.Json);

    /// <summary>A trial is given once, whichever plan it was of.</summary>
    static async Task<bool> HadTrialAsync(NpgsqlDataSource database, Guid customer, CancellationToken token)
    {
        await using var query = database.Sql(
            "select exists (select from subscription where customer = $1 and trial_end is not null)", customer);
        return await query.ExecuteScalarAsync(token) is true;
    }
}
