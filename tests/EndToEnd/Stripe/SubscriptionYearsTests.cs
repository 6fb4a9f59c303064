using LlmGateway.Billing;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>Subscriptions in a world of Stripe's whose time goes as fast as it must.</summary>
public sealed class SubscriptionYearsTests
{
    const string Good = "pm_card_visa", Bad = "pm_card_chargeCustomerFail";

    static readonly TimeSpan Month = TimeSpan.FromDays(31) + TimeSpan.FromHours(2);

    /// <summary>Less than a month, so that a look misses no invoice, and as long as Stripe waits between attempts.</summary>
    static readonly TimeSpan Step = TimeSpan.FromDays(10), UntilTriedAgain = TimeSpan.FromDays(8);

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_failed_renewal_brings_nothing_until_it_is_paid_and_then_once()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var (row, _) = await SubscribeAsync(own, mode, "9");
        var paidTo = row.PaidTo;
        await UseCardAsync(world, row, Bad);

        await world.AdvanceAsync(Month);
        var failed = await LookAsync(own, row);
        await UseCardAsync(world, row, Good);
        await world.AdvanceAsync(UntilTriedAgain);
        var healed = await LookAsync(own, row);

        Assert.Equal((Subscription.PastDue, paidTo, 0L), (failed.Status, failed.PaidTo, failed.Version - failed.Told));
        Assert.Equal(Subscription.Active, healed.Status);
        Assert.Equal(paidTo!.Value.AddMonths(1), healed.PaidTo!.Value, TimeSpan.FromDays(3));
        Assert.Equal(2, await own.NumberAsync("select count(*) from plan_payment where booked"));
    }

    [Fact]
    public async Task Who_never_pays_again_has_no_plan_when_Stripe_gives_up()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var (row, _) = await SubscribeAsync(own, mode, "9");
        await UseCardAsync(world, row, Bad);

        await world.AdvanceAsync(Month);
        await LookAsync(own, row);
        await world.AdvanceAsync(TimeSpan.FromDays(20));
        var ended = await LookAsync(own, row);

        Assert.Equal((Subscription.Canceled, row.PaidTo), (ended.Status, ended.PaidTo));
        Assert.NotNull(ended.EndedAt);
        Assert.Equal(ended.EndedAt, ended.EndsAt);
    }

    /// <summary>Upgrades, downgrades, cards that fail and work again, by chance: what Stripe was paid is what the books have.</summary>
    [Fact]
    public async Task In_five_years_Stripe_s_invoices_and_the_ledger_say_the_same_to_the_cent()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var (row, _) = await SubscribeAsync(own, mode, "9");
        var random = new Random(5);
        await world.AdvanceAsync(TimeSpan.FromHours(12)); // looks are not at the edges of periods
        for (var day = 0; day < 5 * 365; day += Step.Days)
        {
            await UseCardAsync(world, row, random.Next(5) == 0 ? Bad : Good);
            await world.AdvanceAsync(Step);
            row = await LookAsync(own, row);
            await UseCardAsync(world, row, Good);
            if (row.Status == Subscription.PastDue)
                await world.AdvanceAsync(UntilTriedAgain);
            row = await LookAsync(own, row);
            Assert.Equal(Subscription.Active, row.Status);
            if (random.Next(4) == 0)
                row = await ChangeAsync(own, mode, row, random.Next(2) == 0 ? "29" : "9");
        }

        var paid = new List<global::Stripe.Invoice>();
        await foreach (var invoice in world.Stripe.Invoices.ListAutoPagingAsync(
            new() { Subscription = row.Stripe, Limit = 100 }, cancellationToken: Token))
            if (invoice.Status == "paid" && invoice.AmountPaid > 0)
                paid.Add(invoice);
        Assert.InRange(paid.Count, 60, 200);
        Assert.Equal(paid.Count, await own.NumberAsync("select count(*) from plan_payment where booked"));
        Assert.Equal(
            paid.Sum(invoice => invoice.AmountPaid), await own.NumberAsync("select sum(cents)::bigint from plan_payment"));
        Assert.Equal(
            0, await own.NumberAsync("select count(*) from plan_payment where cents * 10000000 <> margin + fee or not booked"));
    }

    [Fact]
    public async Task What_was_used_beyond_the_quota_is_on_the_next_invoice_to_the_cent_and_in_the_books()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var (row, user) = await SubscribeAsync(own, mode, "9", ",\"overagePerToken\":\"0.002\",\"overageBy\":\"subscription\"");
        var used = 0L;
        for (var i = 0; i < 3; i++)
            used += (await user.ChatAsync("small", "[[tokens:500]] please")).MustBe(200).Json.GetProperty("usage").Int("total_tokens");
        await Eventually.GetAsync(
            async () =>
            {
                await LookAsync(own, row);
                return await own.NumberAsync("select coalesce(sum(tokens), 0)::bigint from usage_report where sent");
            },
            reported => reported == used - 9, "the report of what was used");

        await world.AdvanceAsync(Month);
        row = await LookAsync(own, row);

        var invoice = (await world.Stripe.Invoices.ListAsync(
            new() { Subscription = row.Stripe, Limit = 1 }, cancellationToken: Token)).Data.Single();
        Assert.Equal(("paid", 900 + ((2 * (used - 9)) + 5) / 10), (invoice.Status, invoice.AmountPaid));
        Assert.Equal(
            1, await own.NumberAsync("select count(*) from plan_payment where invoice = $1 and booked and cents = $2", invoice.Id,
                invoice.AmountPaid));
    }

    [Fact]
    public async Task What_is_used_before_a_cheaper_plan_comes_costs_what_the_one_in_force_says()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var (row, user) = await SubscribeAsync(own, mode, "9", Overage("0.002"));
        row = await ChangeAsync(own, mode, row, "5", Overage("0.01"));
        Assert.NotNull(row.NextPlan);
        var used = 0L + (await user.ChatAsync("small", "[[tokens:500]] please")).MustBe(200).Json.GetProperty("usage").Int("total_tokens");
        await Eventually.GetAsync(
            async () =>
            {
                await LookAsync(own, row);
                return await own.NumberAsync("select coalesce(sum(tokens), 0)::bigint from usage_report where sent");
            },
            reported => reported == used - 9, "the report of what was used");

        await world.AdvanceAsync(Month);
        var (before, after) = (row, await LookAsync(own, row));

        var invoice = (await world.Stripe.Invoices.ListAsync(
            new() { Subscription = row.Stripe, Limit = 1 }, cancellationToken: Token)).Data.Single();
        Assert.Equal(("paid", 500 + ((2 * (used - 9)) + 5) / 10), (invoice.Status, invoice.AmountPaid));
        Assert.Equal((before.NextPlan, (string?)null), (after.Plan, after.NextPlan));
        var said = SaidSubscription.Of(await own.Get<SubscriptionCalls>().SubscriptionAsync(mode, row.Stripe!, Token));
        Assert.Equal(after.Plan, await own.Get<Subscribers>().PlanOfOverageAsync(said.MeteredPrice!, Token));

        static string Overage(string perToken) => $",\"overagePerToken\":\"{perToken}\",\"overageBy\":\"subscription\"";
    }

    [Fact]
    public async Task What_a_call_has_changed_is_known_to_it_though_somebody_has_looked_meanwhile()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var (row, _) = await SubscribeAsync(own, mode, "9");
        var (calls, plan) = (own.Get<SubscriptionCalls>(), await PlanAsync("29"));
        var sold = (await own.Get<SessionsClient>().PlansAsync(row.Project, Token)).Plans.Single(one => one.Id == plan);
        var (prices, _) = await own.Get<Subscribers>().PricesAsync(mode, row.Project, sold, Token);
        var said = SaidSubscription.Of(await calls.SubscriptionAsync(mode, row.Stripe!, Token));
        await LookAsync(own, row);

        var changed = await calls.ChangePriceAsync(mode, said, prices, isDearer: true, Token);
        var after = await own.Get<Subscriptions>().TakeChangedAsync(mode, row, changed, Token);

        Assert.Equal((plan, 2_900L), (after.Plan, after.Cents));
    }

    [Fact]
    public async Task What_Stripe_refuses_to_count_keeps_nothing_else_from_being_told()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var (row, _) = await SubscribeAsync(own, mode, "9", ",\"overagePerToken\":\"0.002\",\"overageBy\":\"subscription\"");
        Assert.Equal(
            7,
            await own.NumberAsync(
                """
                with added as (
                    insert into usage_report (id, subscription, month, tokens, at, created_at)
                    select gen_random_uuid(), $1, now(), 1, case when i < 7 then now() - interval '40 days' else now() end,
                        now() - interval '1 hour' + i * interval '1 second'
                    from generate_series(1, 7) i returning 1)
                select count(*) from added
                """, row.Id));

        Assert.Equal(6, await own.Get<PlanUsage>().RunAsync(everything: true, Token));

        Assert.Equal(1, await own.NumberAsync("select count(*) from usage_report where sent"));
    }

    /// <summary>Of a new customer of the app's, to a plan of its own at that price.</summary>
    static async Task<(Subscription Row, User User)> SubscribeAsync(OwnBilling own, StripeMode mode, string price, string more = "")
    {
        var user = await Backend.Managed.NewUserAsync(credit: null);
        var plan = await PlanAsync(price, more);
        var state = (await own.Get<LedgerClient>().StateAsync(Ids.WalletOf(user.Customer), Token))!;
        var sold = (await own.Get<SessionsClient>().PlansAsync(state.Project, Token)).Plans.Single(one => one.Id == plan);
        var (prices, cents) = await own.Get<Subscribers>().PricesAsync(mode, state.Project, sold, Token);
        var row = new Subscription(
            Ids.New(), state.Organization, state.Project, user.Customer, mode.Test, mode.Livemode, plan, cents, 0, Subscription.New,
            default);
        Assert.True(await own.Database.TryAddAsync(row, Token));
        row = (await own.Database.SubscriptionAsync(row.Id, Token))!;
        var subscriber = await own.Get<Subscribers>().OpenAsync(mode, state.Organization, user.Customer, Token);
        var made = await own.Get<SubscriptionCalls>().CreateCheckoutAsync(
            mode, row, subscriber, prices, "https://example.com", "https://example.com", Token);
        await own.Get<Subscriptions>().BeginAsync(row, made, Token);
        await StripeWorld.VisitAsync(made.Url, ("step", "pay"), ("number", "4242424242424242"), ("expiry", "12/40"), ("cvc", "123"));
        row = await LookAsync(own, row);
        Assert.Equal(Subscription.Active, row.Status);
        return (row, user);
    }

    static async Task<string> PlanAsync(string price, string more = "")
    {
        var name = $"plan-{Guid.NewGuid():N}";
        (await Backend.Managed.PutAsync($"/v1/plans/{name}", $$"""{"name":"A plan","price":"{{price}}","tokens":9{{more}}}"""))
            .MustBe(200);
        return name;
    }

    /// <summary>As the reconciler does it.</summary>
    static async Task<Subscription> LookAsync(OwnBilling own, Subscription row)
    {
        Assert.Equal(0, await own.Get<Subscriptions>().RunAsync(everything: true, Token));
        return (await own.Database.SubscriptionAsync(row.Id, Token))!;
    }

    static async Task<Subscription> ChangeAsync(OwnBilling own, StripeMode mode, Subscription row, string price, string more = "")
    {
        var (calls, plan) = (own.Get<SubscriptionCalls>(), await PlanAsync(price, more));
        var sold = (await own.Get<SessionsClient>().PlansAsync(row.Project, Token)).Plans.Single(one => one.Id == plan);
        var (prices, cents) = await own.Get<Subscribers>().PricesAsync(mode, row.Project, sold, Token);
        var said = SaidSubscription.Of(await calls.SubscriptionAsync(mode, row.Stripe!, Token));
        row = (await own.Database.SubscriptionAsync(row.Id, Token))!;
        return await own.Get<Subscriptions>().TakeAsync(
            mode, row, await calls.ChangePriceAsync(mode, said, prices, cents > row.Cents, Token), Token);
    }

    static async Task UseCardAsync(StripeWorld world, Subscription row, string method)
    {
        var known = await world.Stripe.Subscriptions.GetAsync(row.Stripe, cancellationToken: Token);
        var card = await world.Stripe.PaymentMethods.AttachAsync(method, new() { Customer = known.CustomerId }, cancellationToken: Token);
        await world.Stripe.Subscriptions.UpdateAsync(row.Stripe, new() { DefaultPaymentMethod = card.Id }, cancellationToken: Token);
    }
}
