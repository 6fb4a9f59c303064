using System.Globalization;

namespace LlmGateway.EndToEnd;

/// <summary>What happens once though two instances of Billing do it: credit, take back, charge by themselves, number documents.</summary>
public sealed class TwoBillingsTests : IClassFixture<SecondBilling>
{
    const int Calls = 500;

    [Fact]
    public async Task Every_event_twenty_times_and_shuffled_before_two_workers_credits_once()
    {
        var user = await Backend.App.NewUserAsync(credit: null);
        await using var orders = new StripeOrders(user.WalletId);
        await orders.HoldAsync(repeat: 20);
        for (var i = 1; i <= 3; i++)
        {
            var purchase = await Purchase.BeginAsync(user, "12");
            (await purchase.PayAsync(Purchase.Declined)).MustBe(402);
            (await purchase.PayAsync()).MustBe(200);
            await orders.ReleaseAsync(shuffled: true);
            await purchase.MustBecomeAsync("succeeded");
            await orders.SettleAsync();
            await Eventually.HoldsAsync(async () => await purchase.WaitingEventsAsync() == 0, "the end of all events");

            Assert.Equal(Enumerable.Repeat("topup 10", i), await purchase.EntriesAsync());
        }
    }

    /// <summary>Taken back is what Stripe says in the end.</summary>
    [Fact]
    public async Task Refunds_that_are_told_twenty_times_and_shuffled_are_taken_once_and_those_that_fail_come_back()
    {
        var (kept, failing) = (await Purchase.PaidAsync(), await Purchase.PaidAsync(method: Purchase.RefundFails));
        await kept.MustHaveAsync("8.333333333");
        await failing.MustHaveAsync("8.333333333");
        await using (StripeOrders ofKept = new(kept.Intent), ofFailing = new(failing.Intent))
        {
            foreach (var orders in (StripeOrders[])[ofKept, ofFailing])
                await orders.HoldAsync(repeat: 20);
            foreach (var cents in (int[])[315, 1, 1, 733])
                (await kept.RefundAtStripeAsync(cents)).MustBe(200);
            (await failing.RefundAtStripeAsync(1050)).MustBe(200);
            await Eventually.HoldsAsync(
                async () => (await Purchase.StripeAsync("GET", $"/v1/refunds?payment_intent={failing.Intent}")).MustBe(200).Json
                    .Items("data").Single().Text("status") == "failed",
                "the failure of a refund");
            foreach (var orders in (StripeOrders[])[ofKept, ofFailing])
                await orders.ReleaseAsync(shuffled: true);
            foreach (var orders in (StripeOrders[])[ofKept, ofFailing])
                await orders.SettleAsync();
        }
        foreach (var purchase in (Purchase[])[kept, failing])
            await Eventually.HoldsAsync(async () => await purchase.WaitingEventsAsync() == 0, "the end of all events");

        Assert.Equal(("0", "8.333333333"), (Gateway.Usd(await kept.User.BalanceAsync()), Gateway.Usd(await failing.User.BalanceAsync())));
        Assert.Equal((0, 0), (await kept.OwedAsync(), await failing.OwedAsync()));
        Assert.Equal(-8_333_333_333, (await kept.EntriesAsync()).Where(entry => entry.StartsWith("refund", StringComparison.Ordinal))
            .Sum(entry => (long)(decimal.Parse(entry.Split(' ')[1], CultureInfo.InvariantCulture) * 1_000_000_000)));
    }

    [Theory]
    [InlineData("winning_evidence", "won", "active", "8.333333333")]
    [InlineData("losing_evidence", "lost", "frozen", "0")]
    public async Task A_dispute_that_is_told_twenty_times_and_shuffled_is_taken_once_and_its_end_is_told_once(
        string evidence, string end, string wallet, string balance)
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        string dispute;
        await using (var orders = new StripeOrders(purchase.Intent))
        {
            await orders.HoldAsync(repeat: 20);
            (await purchase.PayAsync(Purchase.Disputed)).MustBe(200);
            dispute = (await Eventually.GetAsync(DisputesAsync, all => all.Length == 1, "a dispute"))[0].Text("id");
            (await Purchase.StripeAsync("POST", $"/v1/disputes/{dispute}", $"evidence[uncategorized_text]={evidence}")).MustBe(200);
            await Eventually.GetAsync(DisputesAsync, all => all[0].Text("status") == end, $"a dispute that is {end}");
            await orders.ReleaseAsync(shuffled: true);
            await orders.SettleAsync();
        }
        await Eventually.HoldsAsync(async () => await purchase.WaitingEventsAsync() == 0, "the end of all events");

        Assert.Equal(balance, Gateway.Usd(await purchase.User.BalanceAsync()));
        Assert.Equal(0, await purchase.OwedAsync());
        Assert.Equal(wallet, (await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}")).MustBe(200).Json.Text("status"));
        Assert.Equal(2, await Eventually.GetAsync(ToldAsync, told => told >= 2, "the telling of the dispute"));

        async Task<long> ToldAsync()
        {
            await using var query = Books.Webhooks.CreateCommand(
                "select count(*) from event where starts_with(type, 'dispute.') and body like '%' || $1 || '%'");
            query.Parameters.Add(new() { Value = dispute });
            return (long)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
        }

        async Task<System.Text.Json.JsonElement[]> DisputesAsync() =>
        [
            .. (await Purchase.StripeAsync("GET", $"/v1/disputes?payment_intent={purchase.Intent}")).MustBe(200).Json.Items("data"),
        ];
    }

    /// <summary>Row 7.1 of the field's reports, its four cases.</summary>
    [Theory]
    [InlineData(Purchase.Visa, null)]
    [InlineData(SavedCard.DeclinedLater, null)]
    [InlineData(SavedCard.NeedsOwner, null)]
    [InlineData(Purchase.Visa, "cut-before")]
    [InlineData(Purchase.Visa, "cut-after")]
    [InlineData(Purchase.Visa, "error-after")]
    public async Task Five_hundred_calls_that_each_fall_below_charge_once_and_never_above_the_ceiling(string method, string? fault)
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("8"), method);
        await card.TurnOnAsync("4", "10", "15");
        await using var orders = new StripeOrders(card.User.WalletId);
        if (fault is not null)
            await orders.FailAsync(fault, "POST /v1/payment_intents", count: 4);

        var replies = await Task.WhenAll(Enumerable.Range(0, Calls).Select(_ => card.User.ChatAsync("per-request", "hello")));
        Assert.All(replies, reply => reply.MustBe(200));
        await card.MustHaveIntentsAsync(1);
        await (method switch
        {
            SavedCard.DeclinedLater => card.MustBeDeclinedAsync(),
            SavedCard.NeedsOwner => card.MustBecomeAsync("paused"),
            _ => Eventually.GetAsync(card.TopUpsAsync, all => all.Length > 0, "the top-up", SavedCard.Patience),
        });
        await card.MustBeLookedAtAsync();

        Assert.Equal(1050, Assert.Single(await card.IntentsAsync()).Int("amount"));
        Assert.Equal(method == Purchase.Visa ? ["8.333333333"] : [], await card.TopUpsAsync());
    }

    [Fact]
    public async Task Forty_purchases_at_once_and_their_refunds_have_dense_numbers_that_ascend_with_the_date_and_the_sums_of_the_ledger()
    {
        await InvoiceTests.SayAsync(Backend.Other);

        var users = await Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
        {
            var user = await Backend.Other.NewUserAsync(credit: null);
            var purchase = await Purchase.BeginAsync(user, (5 + i * 1.37m).ToString(CultureInfo.InvariantCulture));
            (await purchase.PayAsync()).MustBe(200);
            await Eventually.HoldsAsync(async () => await user.BalanceAsync() > 0, "the credit", TimeSpan.FromSeconds(60));
            (await purchase.RefundAsync($"\"amount\":\"{(1.11m + i * 0.13m).ToString(CultureInfo.InvariantCulture)}\"")).MustBe(201);
            return user;
        }));

        foreach (var user in users)
        {
            var documents = await InvoiceTests.DocumentsAsync(user, 2, TimeSpan.FromSeconds(60));
            Assert.Equal(["credit_note", "invoice"], documents.Select(one => one.Text("kind")));
            Assert.Equal(documents[1].Text("id"), documents[0].Text("corrects"));
            Assert.Equal(await InvoiceTests.ClearedAsync(user), documents.Sum(InvoiceTests.SignedNanos));
        }
        Assert.Equal(0, await WrongAsync(users[0].Customer));
    }

    /// <summary>Of the series: numbers that are missing or twice there, and documents of before their predecessors.</summary>
    static Task<long> WrongAsync(Guid customer) => Purchase.NumberAsync("billing", """
        select coalesce(sum(wrong), 0)::bigint from (
            select abs(max(number) - count(*))
                + count(*) filter (where issued_at < earlier or date < day or number <> previous + 1) as wrong
            from (
                select *, lag(issued_at) over series as earlier, lag(date) over series as day,
                    coalesce(lag(number) over series, 0) as previous
                from invoice where organization = (select organization from invoice where customer = $1 limit 1)
                window series as (partition by test, kind order by number)) as numbered
            group by test, kind) as each
        """, customer);
}
