using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Stripe's customers for those who subscribe, and its prices for plans that name none. Each is a row before Stripe is asked, under the
/// row's key; an answer that did not come is asked for again under it, and after a while under another one: Stripe keeps errors for a day.
/// What nobody knows of there costs nothing.
/// </summary>
public sealed class Subscribers(NpgsqlDataSource database, SubscriptionCalls stripe)
{
    /// <summary>In SQL, of a row that Stripe's object is not known of: whether its key is too old.</summary>
    const string IsStale = "known.stripe is null and known.keyed_at < now() - $1";

    /// <summary>Stripe's prices have twelve decimals of a cent: so many pico-dollars for a million tokens.</summary>
    const long LeastOverage = 10_000;

    /// <summary>Stripe's customer; null when there is none yet.</summary>
    public async Task<string?> FindAsync(Guid customer, bool livemode, CancellationToken token)
    {
        await using var query = database.Sql("select stripe from subscriber where customer = $1 and livemode = $2", customer, livemode);
        return await query.ExecuteScalarAsync(token) as string;
    }

    /// <summary>Stripe's customer.</summary>
    public async Task<string> OpenAsync(StripeMode mode, Guid organization, Guid customer, CancellationToken token)
    {
        var (key, known) = await KeyedAsync(
            $"""
            insert into subscriber as known (customer, livemode, organization, id) values ($2, $3, $4, $5)
            on conflict (customer, livemode) do update set
                id = case when {IsStale} then excluded.id else known.id end,
                keyed_at = case when {IsStale} then now() else known.keyed_at end
            returning id, stripe
            """,
            [customer, mode.Livemode, organization, Ids.New()], token);
        if (known is not null)
            return known;
        var made = await stripe.CreateSubscriberAsync(mode, key, customer, token);
        // Who was deleted and forgotten meanwhile is forgotten again, with what it could pay by this.
        await database.ChangeAsync("""
            with again as (update erasure set attempts = 0, due_at = now(), done_at = null where customer = $3)
            update subscriber set stripe = $2 where id = $1 and stripe is null
            """, token, key, made.Id, customer);
        return made.Id;
    }

    /// <summary>How often a plan is paid, in Stripe's words: those that have no price of their own there, by the month.</summary>
    public async Task<string> IntervalAsync(StripeMode mode, SoldPlan plan, CancellationToken token) => plan.StripePrice is { } own
        ? SubscriptionCalls.IntervalOf(await stripe.PriceAsync(mode, own, token))
        : "1 month";

    /// <summary>What a period costs at a price of Stripe's own, which the ledger must be able to book and an invoice to ask for.</summary>
    async Task<long> CentsOfAsync(StripeMode mode, string price, SoldPlan plan, CancellationToken token) =>
        await stripe.PriceAsync(mode, price, token) is
            { Currency: StripeCalls.Currency, UnitAmount: { } cents and > 0, Recurring.UsageType: not SaidSubscription.Metered }
            ? cents
            : throw new ProblemException(Problems.Invalid(
                "plan", $"The plan '{plan.Id}' names a price at Stripe that is not one in usd, above zero, of each period."));

    /// <summary>Stripe's price of a plan, and what it costs.</summary>
    /// <exception cref="ProblemException">It costs nothing, or parts of cents, or the ledger cannot book it.</exception>
    public async Task<(string Price, long Cents)> PriceAsync(StripeMode mode, Guid project, SoldPlan plan, CancellationToken token)
    {
        if (plan.StripePrice is { } own)
            return (own, await CentsOfAsync(mode, own, plan, token));
        if (plan.Price.Nanos <= 0)
            throw new ProblemException(Problems.Invalid("plan", $"The plan '{plan.Id}' costs nothing, and needs no subscription."));
        if (plan.Price.Nanos % Quote.NanosPerCent != 0)
            throw new ProblemException(Problems.Invalid("plan", $"The price of the plan '{plan.Id}' is not in whole cents."));
        var cents = plan.Price.Nanos / Quote.NanosPerCent;
        var (key, known) = await KeyedAsync(
            $"""
            insert into plan_price as known (id, project, livemode, plan, cents) values ($2, $3, $4, $5, $6)
            on conflict (project, livemode, plan, cents) do update set
                id = case when {IsStale} then excluded.id else known.id end,
                keyed_at = case when {IsStale} then now() else known.keyed_at end
            returning id, stripe
            """,
            [Ids.New(), project, mode.Livemode, plan.Id, cents], token);
        if (known is not null)
            return (known, cents);
        var made = await stripe.CreatePriceAsync(mode, key, project, plan, cents, token);
        await NoteAsync("plan_price", key, made.Id, token);
        return (made.Id, cents);
    }

    /// <summary>Stripe's prices of a plan and of what is used beyond its quota, and what the plan costs.</summary>
    /// <exception cref="ProblemException">As of <see cref="PriceAsync"/>, or a token's price has too many digits for Stripe.</exception>
    public async Task<((string Plan, string? Overage) Prices, long Cents)> PricesAsync(
        StripeMode mode, Guid project, SoldPlan plan, CancellationToken token)
    {
        var (price, cents) = await PriceAsync(mode, project, plan, token);
        return ((price, await OverageAsync(mode, project, plan, token)), cents);
    }

    /// <summary>The plan that a price of what is used beyond the quota was made for; null: none of ours.</summary>
    public async Task<string?> PlanOfOverageAsync(string price, CancellationToken token)
    {
        await using var query = database.Sql("select plan from overage_price where stripe = $1", price);
        return await query.ExecuteScalarAsync(token) as string;
    }

    /// <summary>Stripe's price of what is used beyond a plan's quota. Null: nothing is asked for it.</summary>
    public async Task<string?> OverageAsync(StripeMode mode, Guid project, SoldPlan plan, CancellationToken token)
    {
        if (plan.OveragePicos is not > 0)
            return null;
        var picos = plan.OveragePicos.Value;
        if (picos % LeastOverage != 0)
            throw new ProblemException(Problems.Invalid(
                "plan", $"The overage of the plan '{plan.Id}' has more digits than an invoice of Stripe's can have."));
        var (key, known) = await KeyedAsync(
            $"""
            insert into overage_price as known (id, project, livemode, plan, picos) values ($2, $3, $4, $5, $6)
            on conflict (project, livemode, plan, picos) do update set
                id = case when {IsStale} then excluded.id else known.id end,
                keyed_at = case when {IsStale} then now() else known.keyed_at end
            returning id, stripe
            """,
            [Ids.New(), project, mode.Livemode, plan.Id, picos], token);
        if (known is not null)
            return known;
        var meter = await stripe.MeterAsync(mode, token);
        var made = await stripe.CreateOveragePriceAsync(mode, key, project, plan, meter, picos, token);
        await NoteAsync("overage_price", key, made.Id, token);
        return made.Id;
    }

    /// <summary>
    /// The plan that is sold at one of Stripe's prices, of several the one that the subscription has or is to have; null: none that we
    /// know.
    /// </summary>
    public async Task<string?> PlanOfAsync(Subscription of, string price, SoldPlans sold, CancellationToken token)
    {
        var named = sold.Plans.Where(plan => plan.StripePrice == price).Select(plan => plan.Id).ToList();
        if (named.Count > 0)
            return named.Contains(of.NextPlan ?? of.Plan) ? of.NextPlan ?? of.Plan : named[0];
        await using var query = database.Sql("select plan from plan_price where project = $1 and stripe = $2", of.Project, price);
        return await query.ExecuteScalarAsync(token) as string;
    }

    /// <summary>Stripe does not know them any more, as a sandbox that has started anew: the next attempt makes others.</summary>
    public Task ForgetAsync(Guid project, Guid customer, bool livemode, CancellationToken token) => database.ChangeAsync("""
        with prices as (update plan_price set stripe = null, keyed_at = 'epoch' where project = $1 and livemode = $3),
            overage as (update overage_price set stripe = null, keyed_at = 'epoch' where project = $1 and livemode = $3)
        update subscriber set stripe = null, keyed_at = 'epoch' where customer = $2 and livemode = $3
        """, token, project, customer, livemode);

    async Task<(Guid Key, string? Known)> KeyedAsync(string sql, object[] values, CancellationToken token)
    {
        await using var insert = database.Sql(sql, [StripeHttp.CallTimeout, .. values]);
        await using var row = await insert.ExecuteReaderAsync(token);
        await row.ReadAsync(token);
        return (row.GetGuid(0), row.IsDBNull(1) ? null : row.GetString(1));
    }

    Task<int> NoteAsync(string table, Guid key, string made, CancellationToken token) =>
        database.ChangeAsync($"update {table} set stripe = $2 where id = $1 and stripe is null", token, key, made);
}
