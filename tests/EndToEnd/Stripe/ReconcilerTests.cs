using LlmGateway.Billing;

namespace LlmGateway.EndToEnd;

/// <summary>What the reconciler reads of Stripe when there is much of it, and when a mode of Stripe is not there.</summary>
public sealed class ReconcilerTests
{
    const int EventsOfARound = 10_000;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task More_events_than_a_round_reads_are_read_in_shorter_stretches_and_none_is_skipped()
    {
        var world = new StripeWorld();
        await using var own = await OwnBilling.StartAsync(OwnBilling.ModeOf(world));
        const int half = EventsOfARound / 2 + 50;
        await TellAsync(world, half);
        await world.AdvanceAsync(TimeSpan.FromSeconds(400));
        await TellAsync(world, half);
        var reconciler = own.Later(TimeSpan.FromSeconds(420));

        var rounds = 0;
        for (; rounds < 6 && await own.NumberAsync("select count(*) from stripe_event") < 2 * half; rounds++)
            await reconciler.RunAsync(everything: false, Token);

        Assert.Equal(2 * half, await own.NumberAsync("select count(*) from stripe_event"));
        Assert.True(rounds > 1, "one round reads no more than it may");
        Assert.Equal(0, (await reconciler.RunAsync(everything: false, Token)).Events);
    }

    static Task TellAsync(StripeWorld world, int count) => Parallel.ForEachAsync(
        Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Token },
        async (_, token) => await world.Stripe.Customers.CreateAsync(new(), cancellationToken: token));

    [Fact]
    public async Task A_key_that_Stripe_does_not_accept_keeps_nothing_of_the_other_mode_waiting()
    {
        var mode = OwnBilling.ModeOf(new(), test: true);
        await using var own = await OwnBilling.StartAsync(OwnBilling.Revoked, mode);
        var (told, asked) = (await Backend.AppTest.NewUserAsync(credit: null), await Backend.AppTest.NewUserAsync(credit: null));
        await own.PaidAsync(told, mode);

        var found = await own.ReconcileAsync(everything: false);

        Assert.True(found is { Events: > 0, Failed: 1 }, $"{found}");
        await own.LetRunAsync<EventWorker>();
        await Eventually.GetAsync(told.BalanceAsync, balance => balance == 8_333_333_333, "what an event has told");

        // A purchase of the other mode is asked after first, and in vain.
        var live = await own.PaidAsync(asked, mode);
        await own.RunAsync("""
            insert into payment (id, organization, project, customer, wallet, test, livemode, amount, cents, net, margin, fee, status,
                intent, looked_at)
            select gen_random_uuid(), organization, project, customer, gen_random_uuid(), false, true, amount, cents, net, margin, fee,
                'open', 'pi_live', looked_at - interval '1 second'
            from payment where id = $1
            """, live.Id);
        Assert.Equal(2, (await own.ReconcileAsync(everything: true)).Failed);
        Assert.Equal(8_333_333_333, await asked.BalanceAsync());
    }

    [Fact]
    public async Task Documents_whose_taxes_cannot_be_read_keep_no_later_one_from_being_made()
    {
        var mode = OwnBilling.ModeOf(new());
        await using var own = await OwnBilling.StartAsync(mode);
        var payments = new List<Payment>();
        for (var i = 0; i < 5; i++)
        {
            payments.Add(await own.PaidAsync(await Backend.App.NewUserAsync(credit: null), mode));
            await own.ReconcileAsync(everything: true);
        }
        await own.RunAsync(
            "insert into seller (project, test, organization, content) values ($1, false, $2, $3::jsonb)", payments[0].Project,
            payments[0].Organization, """{"name":"Acme","address":"Road 1","taxId":null,"email":null,"timeZone":"UTC"}""");
        await own.RunAsync(
            "update payment set livemode = true, tax_calculation = 'taxcalc_1' where id <> $1", payments[^1].Id);
        await using var again = await own.AgainAsync(OwnBilling.Revoked);

        await again.LetRunAsync<Invoicing>();

        await Eventually.HoldsAsync(
            async () => await own.NumberAsync("select count(*) from invoice where payment = $1", payments[^1].Id) == 1, "the document");
        Assert.Equal(1, await own.NumberAsync("select count(*) from invoice"));
    }

    [Fact]
    public async Task An_attempt_that_failed_is_told_once_whoever_has_read_what_before_the_next_one()
    {
        var mode = OwnBilling.ModeOf(new());
        await using var own = await OwnBilling.StartAsync(mode);
        var (payment, intent) = await own.BuyAsync(await Backend.App.NewUserAsync(credit: null), mode);
        var reads = new List<global::Stripe.PaymentIntent>();
        foreach (var card in (string[])["pm_card_chargeDeclined", "pm_card_chargeDeclinedExpiredCard", "pm_card_visa"])
        {
            await Record.ExceptionAsync(() => OwnBilling.PayAsync(mode, intent, card));
            reads.Add(await own.Get<StripeCalls>().IntentAsync(mode, intent.Id, Token));
        }

        foreach (var which in (int[])[0, 1, 0, 1, 2, 0, 1])
            payment = await own.Get<Intents>().TakeAsync(payment, reads[which], Token);

        Assert.Equal(Payment.Succeeded, payment.Status);
        Assert.Equal(2, await own.NumberAsync(
            "select last from event_sequence where subject = $1", PaymentEvents.SubjectOf(payment.Customer)));
    }

    [Fact]
    public async Task A_redemption_that_the_ledger_refuses_keeps_no_other_one_from_being_booked()
    {
        var mode = OwnBilling.ModeOf(new());
        await using var own = await OwnBilling.StartAsync(mode);
        var user = await Backend.App.NewUserAsync(credit: null);
        var (payment, _) = await own.BuyAsync(user, mode);
        await own.RunAsync("""
            with promotion as (
                insert into promotion (id, organization, project, test, code, amount, max_redemptions, per_customer, redeemed)
                values (gen_random_uuid(), $1, $2, false, 'SPRING', 2500000000, 2, 1, 2) returning id)
            insert into redemption (id, promotion, customer, number, wallet, looked_at)
            select gen_random_uuid(), id, gen_random_uuid(), 1, gen_random_uuid(), now() - interval '3 minutes' from promotion
            union all
            select gen_random_uuid(), id, $3, 1, $4, now() - interval '2 minutes' from promotion
            """, payment.Organization, payment.Project, payment.Customer, payment.Wallet);

        Assert.Equal(1, (await own.ReconcileAsync(everything: false)).Failed);

        Assert.Equal(2_500_000_000, await user.BalanceAsync());
        Assert.Equal(1, await own.NumberAsync("select count(*) from redemption where status = 'claimed'"));
    }

    [Fact]
    public async Task A_mode_that_is_not_set_up_any_more_stops_nothing_of_the_other_and_goes_on_when_it_comes_back()
    {
        var world = new StripeWorld();
        var (live, test) = (OwnBilling.ModeOf(world), OwnBilling.ModeOf(world, test: true));
        await using var own = await OwnBilling.StartAsync(live, test);
        var (gone, stays) = (await Backend.App.NewUserAsync(credit: null), await Backend.AppTest.NewUserAsync(credit: null));
        var paid = await own.PaidAsync(gone, live);
        await own.PaidAsync(stays, test);
        // Of a live account whose key is gone, too.
        var ofLive = """
            {"id":"evt_live","type":"payment_intent.succeeded","livemode":true,"data":{"object":{"object":"payment_intent","id":"pi_live"}}}
            """u8.ToArray();
        await ReceiveEvent.KeepAsync(own.Database, StripeEvent.Read(ofLive)!, ofLive, Token);

        await using (var one = await own.AgainAsync(test))
        {
            Assert.Equal(0, (await one.ReconcileAsync(everything: true)).Failed);
            await one.LetRunAsync<EventWorker>();
            await Eventually.HoldsAsync(
                async () => await EventsAsync("'waiting'", "attempts = 0") == 0, "all events were looked at");
            Assert.Equal((8_333_333_333, 0), (await stays.BalanceAsync(), await gone.BalanceAsync()));
        }
        Assert.True(await EventsAsync("'parked', 'waiting'", "reason like '%mode%'") > 1, "events of the mode say what they wait for");

        Assert.Equal(0, (await own.ReconcileAsync(everything: true)).Failed);
        Assert.Equal(8_333_333_333, await gone.BalanceAsync());
        Assert.Equal(1, await own.NumberAsync("select count(*) from posting where payment = $1 and status = 'booked'", paid.Id));

        Task<long> EventsAsync(string status, string which) =>
            own.NumberAsync($"select count(*) from stripe_event where status in ({status}) and {which}");
    }

    [Fact]
    public async Task A_purchase_that_could_not_be_cancelled_once_is_cancelled_when_it_can_be()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var (payment, intent) = await own.BuyAsync(await Backend.App.NewUserAsync(credit: null), mode);
        await OwnBilling.PayAsync(mode, intent, "pm_usBankAccount_insufficientFunds");

        payment = await own.Get<Purchases>().CancelAsync(mode, payment, Token);
        Assert.Equal(Payment.Processing, payment.Status);
        await world.AdvanceAsync(TimeSpan.FromHours(1)); // the bank has said no

        payment = await own.Get<Purchases>().CancelAsync(mode, payment, Token);
        Assert.Equal(Payment.Canceled, payment.Status);
        Assert.Equal("canceled", (await world.Stripe.PaymentIntents.GetAsync(intent.Id, cancellationToken: Token)).Status);
    }

    [Fact]
    public async Task A_refund_whose_answer_was_lost_a_day_ago_is_looked_for_and_not_asked_for_again()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var user = await Backend.App.NewUserAsync(credit: null);
        var payment = await own.PaidAsync(user, mode);
        await own.ReconcileAsync(everything: true);
        var refund = new Refund(Guid.NewGuid(), payment.Id, 100, "booked", null);
        await own.RunAsync("""
            insert into refund (id, payment, cents, status, by_us, created_at, looked_at)
            values ($1, $2, $3, $4, true, now() - interval '25 hours', now() - interval '25 hours')
            """, refund.Id, payment.Id, refund.Cents, refund.Status);
        await own.Get<StripeCalls>().CreateRefundAsync(mode, payment.Intent!, refund, Token);
        await world.AdvanceAsync(TimeSpan.FromHours(25)); // Stripe has forgotten the key

        Assert.Equal(0, (await own.ReconcileAsync(everything: true)).Failed);

        var refunds = await world.Stripe.Refunds.ListAsync(new() { PaymentIntent = payment.Intent }, cancellationToken: Token);
        Assert.Equal(100, Assert.Single(refunds.Data).Amount);
        Assert.Equal(1, await own.NumberAsync("select count(*) from refund where status = 'succeeded'"));
        Assert.Equal(8_333_333_333 - 793_650_793, await user.BalanceAsync()); // 8.333333333 ÷ 10.5
    }
}
