using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Subscriptions as Stripe says that they are: taken over whenever something makes us look, and told to Sessions, which gives the plan.
/// Everything may be repeated, by any instance.
/// </summary>
public sealed class Subscriptions(
    NpgsqlDataSource database, StripeModes modes, SubscriptionCalls stripe, Subscribers subscribers, SessionsClient sessions,
    PlanPayments payments, PlanUsage usage, OutboxSignal outbox, TimeProvider time, ILogger<Subscriptions> log)
{
    /// <summary>Of a round.</summary>
    const int MaxLooks = 50, MaxTold = 200;

    /// <summary>A subscription is asked after so often at most: its events bring what happens sooner.</summary>
    static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(30);

    /// <summary>A row whose checkout we do not know by then never gets one.</summary>
    static readonly TimeSpan BeginTime = 2 * StripeHttp.CallTimeout;

    /// <summary>Who has begun it has died, or was refused by Stripe for as long as its key lives.</summary>
    public static bool IsLeft(Subscription row) =>
        row is { Checkout: null, Stripe: null } && row.ReadAt - row.CreatedAt > BeginTime;

    /// <summary>Asks Stripe, takes over what it says, and tells Sessions. The row as it is then.</summary>
    /// <param name="invoice">One of the subscription's that need not be its latest.</param>
    public async Task<Subscription> LookAsync(
        StripeMode mode, Subscription row, CancellationToken token, global::Stripe.Invoice? invoice = null)
    {
        try
        {
            if (row.Stripe is { } known)
                return await TakeAsync(mode, row, await stripe.SubscriptionAsync(mode, known, token), token, invoice);
            if (row.Checkout is not { } checkout)
                return IsLeft(row) ? await EndAsync(row, token) : row;
            var said = await stripe.CheckoutAsync(mode, checkout, token);
            return said.SubscriptionId is { } made
                ? await TakeAsync(mode, row, await stripe.SubscriptionAsync(mode, made, token), token, invoice)
                : said.Status == "expired" ? await EndAsync(row, token)
                : row;
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject && mode.IsSandbox)
        {
            // It has started anew, and knows nothing of what it has played.
            await subscribers.ForgetAsync(row.Project, row.Customer, row.Livemode, token);
            return await EndAsync(row, token);
        }
    }

    /// <param name="said">With its latest invoice.</param>
    public async Task<Subscription> TakeAsync(
        StripeMode mode, Subscription row, global::Stripe.Subscription said, CancellationToken token,
        global::Stripe.Invoice? invoice = null)
    {
        await RequireSameAsync(mode, row, said, token);
        var sold = await sessions.PlansAsync(row.Project, token);
        var own = invoice?.Parent?.SubscriptionDetails?.SubscriptionId == said.Id ? invoice : null;
        var now = SaidSubscription.Of(said).AlsoPaidBy(own);
        var plan = await subscribers.PlanOfAsync(row, now.Price, sold, token);
        var after = await ChangeAsync(
            row,
            before => SubscriptionStates.Next(
                before, now, plan, sold.Plans.FirstOrDefault(one => one.Id == before.Plan)?.GraceDays, time.GetUtcNow()),
            token);
        // The money is in the books also where the plan cannot be given: that is tried in each round, and this is not.
        var name = sold.Plans.FirstOrDefault(one => one.Id == after.Plan)?.Name ?? after.Plan;
        foreach (var paid in new[] { said.LatestInvoice, own })
            if (paid is not null)
                await payments.TakeAsync(mode, after, name, paid, token);
        after = await TellAsync(after, token);
        await PriceOverageAsync(mode, after, now, sold, token);
        return after;
    }

    /// <summary>A cheaper plan is in force now, which has left the price of what is used beyond the quota to this moment.</summary>
    async Task PriceOverageAsync(StripeMode mode, Subscription row, SaidSubscription said, SoldPlans sold, CancellationToken token)
    {
        if (row is not { NextPlan: null, EndedAt: null } || said.MeteredPrice is not { } metered
            || await subscribers.PlanOfOverageAsync(metered, token) is not { } of || of == row.Plan
            || sold.Plans.FirstOrDefault(one => one.Id == row.Plan) is not { } plan
            || await subscribers.OverageAsync(mode, row.Project, plan, token) is not { } price)
            return;
        await stripe.ChangeOverageAsync(mode, said, price, token);
    }

    /// <summary>
    /// Takes over what a call has just changed. Who began to look after the row was read counts as later, and may have asked Stripe before
    /// the change: then it is asked once more.
    /// </summary>
    public async Task<Subscription> TakeChangedAsync(
        StripeMode mode, Subscription row, global::Stripe.Subscription said, CancellationToken token)
    {
        var after = await TakeAsync(mode, row, said, token);
        return after.LookedAt > row.ReadAt ? await LookAsync(mode, after, token) : after;
    }

    /// <summary>Whoever has our account's keys can write our ids onto an object of their own.</summary>
    async Task RequireSameAsync(StripeMode mode, Subscription row, global::Stripe.Subscription said, CancellationToken token)
    {
        if (said.Livemode != mode.Livemode || row.Livemode != mode.Livemode || (row.Stripe is { } known && known != said.Id)
            || !StripeCalls.Says(said.Metadata, SubscriptionCalls.SubscriptionKey, Ids.Show(Ids.Subscription, row.Id))
            || said.CustomerId != await subscribers.FindAsync(row.Customer, row.Livemode, token))
            throw new NotOursException($"subscription {said.Id} is not the one of {row.Id:N}");
    }

    /// <summary>
    /// Changes the row, which goes to and fro: the answer to the question that was asked last counts. What its customer's systems are told
    /// is written with it.
    /// </summary>
    async Task<Subscription> ChangeAsync(Subscription asked, Func<Subscription, Subscription> change, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        var before = await connection.LockSubscriptionAsync(asked.Id, token);
        if (before.LookedAt > asked.ReadAt)
            return before;
        var after = change(before);
        var isNews = SubscriptionStates.IsNews(before, after);
        await connection.ChangeAsync("""
            update subscription set plan = $2, cents = $3, next_plan = $4, status = $5, stripe = $6, started_at = $7, anchor = $8,
                trial_end = $9, paid_to = $10, cancel_at = $11, ends_at = $12, ended_at = $13, url = $14, looked_at = $15,
                metered = $17,
                version = case when $16 then nextval('plan_version') else version end
            where id = $1
            """, token,
            after.Id, after.Plan, after.Cents, after.NextPlan, after.Status, after.Stripe, after.StartedAt, after.Anchor, after.TrialEnd,
            after.PaidTo, after.CancelAt, after.EndsAt, after.EndedAt, after.Url, asked.ReadAt, isNews,
            after.Metered);
        foreach (var type in new[] { SubscriptionEvents.FailureOf(before, after), SubscriptionEvents.TypeOf(before, after) })
            if (type is not null)
                await connection.TellAsync(
                    PaymentEvents.SubjectOf(after.Customer), after.Organization, after.Project, after.Test, type,
                    SubscriptionEvents.DataOf(after), time.GetUtcNow(), token);
        await transaction.CommitAsync(CancellationToken.None);
        Failpoint.Hit("billing.subscription.taken");
        outbox.Raise();
        return (await database.SubscriptionAsync(after.Id, token))!;
    }

    /// <summary>
    /// Its checkout is over, or was never there: its customer may begin another one. One that gave a plan gives it no more.
    /// </summary>
    public async Task<Subscription> EndAsync(Subscription row, CancellationToken token)
    {
        var now = time.GetUtcNow();
        var after = await ChangeAsync(
            row,
            before => before.EndedAt is not null ? before : before with
            {
                Status = before.Stripe is null ? Subscription.Expired : Subscription.Canceled, EndedAt = now, Url = null,
                EndsAt = before.Stripe is null ? null : now,
            },
            token);
        return await TellAsync(after, token);
    }

    /// <summary>Its checkout is made. The row as it is then: perhaps another call was faster, or somebody has ended it.</summary>
    public async Task<Subscription> BeginAsync(Subscription row, global::Stripe.Checkout.Session made, CancellationToken token)
    {
        await database.ChangeAsync("""
            update subscription set status = 'open', checkout = $2, url = $3, expires_at = $4 where id = $1 and status = 'new'
            """, token, row.Id, made.Id, made.Url, new DateTimeOffset(DateTime.SpecifyKind(made.ExpiresAt, DateTimeKind.Utc)));
        return (await database.SubscriptionAsync(row.Id, token))!;
    }

    /// <summary>Ends a checkout that nobody has used. The row as it is then: somebody may use it at this moment.</summary>
    public async Task<Subscription> DropAsync(StripeMode mode, Subscription row, CancellationToken token)
    {
        try
        {
            await stripe.ExpireCheckoutAsync(mode, row.Checkout!, token);
        }
        catch (StripeRefusalException e)
        {
            log.LogInformation("the checkout of subscription {Id} is over: {Message}", row.Id, e.Message);
        }
        return await LookAsync(mode, (await database.SubscriptionAsync(row.Id, token))!, token);
    }

    /// <summary>Tells Sessions what it does not know yet.</summary>
    public async Task<Subscription> TellAsync(Subscription row, CancellationToken token)
    {
        if (row is not { StartedAt: { } startedAt, Anchor: { } anchor, PaidTo: { } paidTo } || row.Version <= row.Told)
            return row;
        await sessions.GivePlanAsync(
            row.Customer, new(row.Id, row.Version, row.Plan, startedAt, anchor, paidTo, row.EndsAt), token);
        Failpoint.Hit("billing.subscription.told");
        await database.ChangeAsync(
            "update subscription set told = greatest(told, $2) where id = $1", token, row.Id, row.Version);
        return row with { Told = row.Version };
    }

    /// <summary>What no webhook has told, and what Sessions could not be told: the oldest of each, in a round of the reconciler.</summary>
    /// <param name="everything">Also what was asked after a short time ago.</param>
    /// <returns>How many could not be brought further.</returns>
    public async Task<int> RunAsync(bool everything, CancellationToken token)
    {
        var failed = 0;
        foreach (var row in await SubscriptionRows.SubscriptionsAsync(
            database.Sql(
                $"select {SubscriptionRows.Columns} from subscription where told < version order by version limit $1", MaxTold), token))
            failed += await FailsAsync(row, () => TellAsync(row, token), token);
        foreach (var row in await SubscriptionRows.SubscriptionsAsync(
            database.Sql(
                $"""
                update subscription set asked_at = now() where id in (
                    select id from subscription where ended_at is null and asked_at <= now() - $1 order by asked_at limit $2)
                returning {SubscriptionRows.Columns}
                """, everything ? TimeSpan.Zero : LookEvery, MaxLooks), token))
            if (modes.Of(row.Test, row.Livemode) is { } mode)
                failed += await FailsAsync(row, () => LookAsync(mode, row, token), token);
        return failed + await payments.RunAsync(token) + await usage.RunAsync(everything, token);
    }

    /// <summary>One that cannot be brought further keeps no other from it.</summary>
    async Task<int> FailsAsync(Subscription row, Func<Task> run, CancellationToken token)
    {
        try
        {
            await run();
            return 0;
        }
        catch (Exception e) when (!token.IsCancellationRequested)
        {
            if (Problems.IsOutage(e))
                log.LogWarning("subscription {Id} cannot be looked at now: {Message}", row.Id, e.Message);
            else
                log.LogError(e, "subscription {Id} cannot be looked at", row.Id);
            return 1;
        }
    }
}
