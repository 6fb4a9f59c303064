using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What developers have earned goes to their accounts, once, whatever is lost on the way.</summary>
[Collection(nameof(Payments))]
public sealed class PayoutTests
{
    const string Transfers = "POST /v1/transfers";

    [Fact]
    public async Task What_was_earned_is_transferred_once_and_told_and_the_books_say_so()
    {
        var (payee, account) = await Payee.ReadyAsync();
        await payee.MustHaveAsync("2");

        var paid = (await payee.PayOutAsync()).MustBe(200).Json;

        Assert.Equal(("2", "0", "paid"), (paid.Text("amount"), paid.Text("marginBalance"), paid.Text("status")));
        Assert.Equal([200], await Payee.TransfersAsync(account));
        var transfer = (await Purchase.StripeAsync("GET", $"/v1/transfers/{paid.Text("transferId")}")).MustBe(200).Json;
        Assert.Equal(paid.Text("id"), transfer.Text("transfer_group"));
        await payee.MustHaveAsync("0");
        var shown = Assert.Single(await payee.PayoutsAsync());
        Assert.Equal(
            (paid.Text("id"), paid.Text("transferId"), account, "2", "paid", "0", false),
            (shown.Text("id"), shown.Text("transferId"), shown.Text("accountId"), shown.Text("amount"), shown.Text("status"),
                shown.Text("reversed"), shown.GetProperty("automatic").GetBoolean()));
        Assert.Equal(
            ["payout.created", "payout.paid"],
            await Eventually.GetAsync(() => ToldAsync(paid.Text("id")), told => told.Length == 2, "two events"));
        (await payee.PayOutAsync()).MustBeProblem(400, "invalid_value", "amount");
    }

    [Fact]
    public async Task A_part_is_paid_out_and_under_a_key_once_and_the_list_has_pages()
    {
        var (payee, account) = await Payee.ReadyAsync(times: 2);

        var key = Guid.NewGuid().ToString();

        var first = (await payee.PayOutAsync("1.5", key)).MustBe(200).Json;
        var again = (await payee.PayOutAsync("1.5", key)).MustBe(200).Json;
        Assert.Equal((first.Text("id"), "2.5"), (again.Text("id"), again.Text("marginBalance")));
        (await payee.PayOutAsync("1.6", key)).MustBe(422);
        await Purchase.ForgetAnswerAsync(key);
        (await payee.PayOutAsync("1.6", key)).MustBe(422);
        Assert.Equal(first.Text("id"), (await payee.PayOutAsync("1.5", key)).MustBe(200).Json.Text("id"));
        (await payee.PayOutAsync("1.25")).MustBe(200);
        (await payee.PayOutAsync("1.25")).MustBe(200);

        Assert.Equal([125, 125, 150], await Payee.TransfersAsync(account));
        var page = (await payee.Backend.GetAsync("/v1/connect/payouts?limit=2")).MustBe(200).Json;
        Assert.Equal(["1.25", "1.25"], page.Items("payouts").Select(one => one.Text("amount")));
        var rest = (await payee.Backend.GetAsync($"/v1/connect/payouts?limit=2&cursor={page.Text("nextCursor")}")).MustBe(200).Json;
        Assert.Equal(first.Text("id"), Assert.Single(rest.Items("payouts")).Text("id"));
        Assert.Equal(JsonValueKind.Null, rest.GetProperty("nextCursor").ValueKind);
    }

    [Fact]
    public async Task Fifty_at_once_whose_connections_are_cut_before_and_after_the_effect_pay_once()
    {
        var (payee, account) = await Payee.ReadyAsync(times: 3);
        await using (var orders = new StripeOrders(account))
        {
            foreach (var kind in (string[])["cut-after", "cut-before", "error-before", "cut-after", "cut-before"])
                await orders.FailAsync(kind, Transfers, 2);
            var replies = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => payee.PayOutAsync(i % 2 == 0 ? null : "6")));

            Assert.Single(replies, reply => reply.Status is 200 or 202);
            Assert.All(replies.Where(reply => reply.Status >= 300), reply => Assert.Contains(reply.Status, (int[])[400, 409]));
        }
        await Purchase.ReconcileAsync();

        Assert.Equal([600], await Payee.TransfersAsync(account));
        Assert.Equal(["paid 6"], await payee.ShownAsync());
        await payee.MustHaveAsync("0");
    }

    [Fact]
    public async Task Fifty_parts_at_once_are_paid_as_far_as_the_margin_goes()
    {
        var (payee, account) = await Payee.ReadyAsync(times: 3);
        var orders = new StripeOrders(account);
        await orders.FailAsync("cut-after", Transfers, 2);

        var replies = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => payee.PayOutAsync("1")));
        await orders.DisposeAsync();
        await Purchase.ReconcileAsync();

        Assert.Equal(6, replies.Count(reply => reply.Status is 200 or 202));
        Assert.Equal(Enumerable.Repeat(100, 6), await Payee.TransfersAsync(account));
        Assert.Equal(Enumerable.Repeat("paid 1", 6), await payee.ShownAsync());
        await payee.MustHaveAsync("0");
    }

    [Theory]
    [InlineData("cut-before", 3)]
    [InlineData("error-before", 1)]
    [InlineData("error-after", 1)]
    public async Task Without_a_clear_answer_it_is_pending_and_the_reconciler_pays_it_once(string fault, int count)
    {
        var (payee, account) = await Payee.ReadyAsync();
        await LoseAsync(payee, account, fault, count);

        await payee.MustHaveAsync("0", inPayout: "2");
        Assert.Equal(["pending 2"], await payee.ShownAsync());
        await Purchase.ReconcileAsync();

        Assert.Equal(["paid 2"], await payee.ShownAsync());
        Assert.Equal([200], await Payee.TransfersAsync(account));
        await payee.MustHaveAsync("0");
    }

    [Fact]
    public async Task A_connection_that_is_cut_after_the_effect_gets_the_answer_of_the_same_transfer()
    {
        var (payee, account) = await Payee.ReadyAsync();
        await using var orders = new StripeOrders(account);
        await orders.FailAsync("cut-after", Transfers);

        (await payee.PayOutAsync()).MustBe(200);

        Assert.Equal([200], await Payee.TransfersAsync(account));
        await payee.MustHaveAsync("0");
    }

    /// <summary>Stripe forgets keys after a day. The row is made older; the key is the same that it would still know.</summary>
    [Theory]
    [InlineData("error-before", 1, "failed 2", "2", 0)]
    [InlineData("error-after", 1, "paid 2", "0", 1)]
    public async Task After_a_day_nobody_asks_again_it_is_looked_for_and_without_a_transfer_earned_again(
        string fault, int count, string shown, string margin, int transfers)
    {
        var (payee, account) = await Payee.ReadyAsync();
        await LoseAsync(payee, account, fault, count);
        await AgeAsync((await payee.PayoutsAsync()).Single().Text("id"));

        await Purchase.ReconcileAsync();
        await Purchase.ReconcileAsync();

        Assert.Equal([shown], await payee.ShownAsync());
        Assert.Equal(transfers, (await Payee.TransfersAsync(account)).Count);
        await payee.MustHaveAsync(margin);
        if (margin == "0")
            return;
        // What was earned again is another payout's, under a key of its own.
        (await payee.PayOutAsync()).MustBe(200);
        Assert.Equal(["paid 2", "failed 2"], await payee.ShownAsync());
    }

    [Fact]
    public async Task An_account_that_turns_restricted_on_the_way_releases_the_reservation_and_it_is_told()
    {
        var (payee, account) = await Payee.ReadyAsync();
        var to = $"payouts-{Guid.NewGuid():N}@example.com";
        (await payee.Backend.PutAsync("/v1/alerts", $$"""{"email":"{{to}}"}""")).MustBe(200);
        await LoseAsync(payee, account, "cut-before", 3);
        await Payee.OrderAsync(account, "restricted");

        await Purchase.ReconcileAsync();

        var failed = Assert.Single(await payee.PayoutsAsync());
        Assert.Equal(
            ("failed", "insufficient_capabilities_for_transfer"), (failed.Text("status"), failed.GetProperty("failure").Text("code")));
        await payee.MustHaveAsync("2");
        Assert.Empty(await Payee.TransfersAsync(account));
        Assert.Equal(
            ["payout.created", "payout.failed"],
            await Eventually.GetAsync(() => ToldAsync(failed.Text("id")), told => told.Length == 2, "two events"));
        var mails = await Eventually.GetAsync(
            async () => (await Gateway.SendAsync("GET", $"/sandbox/mail?to={to}", at: Stack.Sandbox)).Json.Items("mails").ToArray(),
            mails => mails.Length > 0, "a mail");
        Assert.StartsWith("A payout has failed", Assert.Single(mails).Text("subject"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_of_a_transfer_whose_answer_was_lost_pays_the_payout()
    {
        var (payee, account) = await Payee.ReadyAsync();
        await LoseAsync(payee, account, "error-after", 1, deliver: true);

        await Eventually.HoldsAsync(async () => (await payee.ShownAsync()).Single() == "paid 2", "the payout");
        await payee.MustHaveAsync("0");
    }

    [Fact]
    public async Task What_goes_back_to_a_customer_after_the_payout_is_owed_by_the_next_margins_and_shown()
    {
        var (payee, account) = await Payee.ReadyAsync();
        var second = await payee.EarnAsync();
        (await payee.PayOutAsync()).MustBe(200);
        await payee.MustHaveAsync("0");

        (await second.RefundAsync("")).MustBe(201);

        await payee.MustHaveAsync("0", owed: "2");
        Assert.Equal("2", (await payee.Backend.GetAsync("/v1/connect/payouts")).MustBe(200).Json.Text("owed"));
        (await payee.PayOutAsync()).MustBeProblem(400, "invalid_value", "amount");
        await payee.EarnAsync();
        await payee.MustHaveAsync("0");
        await payee.EarnAsync();
        Assert.Equal("2", (await payee.PayOutAsync()).MustBe(200).Json.Text("amount"));
        Assert.Equal([200, 400], await Payee.TransfersAsync(account));
    }

    [Fact]
    public async Task A_transfer_that_is_reversed_is_earned_again_by_as_much_as_came_back()
    {
        var (payee, _) = await Payee.ReadyAsync();
        var transfer = (await payee.PayOutAsync()).MustBe(200).Json.Text("transferId");

        await Purchase.OrderAsync("/webhooks", """{"repeat":20}""");
        try
        {
            (await Purchase.StripeAsync("POST", $"/v1/transfers/{transfer}/reversals", "amount=50")).MustBe(200);
            await Eventually.HoldsAsync(async () => (await payee.StatusAsync()).Text("marginBalance") == "0.5", "what came back");
            Assert.Equal(
                ("paid 2", "0.5"), ((await payee.ShownAsync()).Single(), (await payee.PayoutsAsync()).Single().Text("reversed")));
            (await Purchase.StripeAsync("POST", $"/v1/transfers/{transfer}/reversals", "amount=150")).MustBe(200);

            await Eventually.HoldsAsync(async () => (await payee.ShownAsync()).Single() == "reversed 2", "all of it");
            await Purchase.OrderAsync("/webhooks/settle");
        }
        finally
        {
            await Purchase.OrderAsync("/webhooks");
        }
        await payee.MustHaveAsync("2");
        (await payee.PayOutAsync()).MustBe(200);
    }

    [Fact]
    public async Task Money_that_is_not_available_at_Stripe_yet_is_refused_and_stays_earned()
    {
        var (payee, account) = await Payee.ReadyAsync();
        await DrainAsync(account);

        (await payee.PayOutAsync()).MustBeProblem(409, "payout_failed");

        await payee.MustHaveAsync("2");
        Assert.Equal(["failed 2"], await payee.ShownAsync());
    }

    [Fact]
    public async Task By_itself_it_is_paid_out_from_the_threshold_on_once_a_day_by_however_many_rounds()
    {
        var (payee, account) = await Payee.ReadyAsync();
        Assert.Equal("3", (await AutomaticAsync("\"3\"")).MustBe(200).Json.Text("threshold"));
        await Purchase.ReconcileAsync();
        Assert.Empty(await payee.PayoutsAsync());
        await payee.EarnAsync();

        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Purchase.ReconcileAsync()));

        var paid = Assert.Single(await payee.PayoutsAsync());
        Assert.Equal(("paid", "4", true), (paid.Text("status"), paid.Text("amount"), paid.GetProperty("automatic").GetBoolean()));
        await payee.EarnAsync();
        await payee.EarnAsync();
        await Purchase.ReconcileAsync();
        Assert.Equal([400], await Payee.TransfersAsync(account));
        Assert.Equal("3", (await payee.StatusAsync()).Text("automaticThreshold"));

        (await AutomaticAsync("null")).MustBe(200);
        Assert.Equal(JsonValueKind.Null, (await payee.StatusAsync()).GetProperty("automaticThreshold").ValueKind);
        await YesterdayAsync(paid.Text("id"));
        await Purchase.ReconcileAsync();
        Assert.Single(await payee.PayoutsAsync());
        (await AutomaticAsync("\"3\"")).MustBe(200);
        await Purchase.ReconcileAsync();
        Assert.Equal(["paid 4", "paid 4"], await payee.ShownAsync());

        Task<Reply> AutomaticAsync(string threshold) =>
            payee.Backend.PutAsync("/v1/connect/automatic", $$"""{"threshold":{{threshold}}}""");
    }

    /// <summary>Its caller was told that it is pending: the ledger did not answer.</summary>
    [Fact]
    public async Task One_that_was_told_as_pending_and_is_refused_later_is_shown_as_failed_and_told()
    {
        var (payee, _) = await Payee.ReadyAsync();
        (await payee.PayOutAsync("1.5")).MustBe(200);
        var id = Guid.CreateVersion7();
        await ExecuteAsync("""
            insert into payout (id, account, organization, project, test, livemode, destination, cents, actor, looked_at)
            select $2, account, organization, project, test, livemode, destination, 200, actor, now() - interval '1 hour'
            from payout where id = $1
            """, Guid.Parse((await payee.PayoutsAsync()).Single().Text("id")["pyo_".Length..]), id);

        await Purchase.ReconcileAsync();

        Assert.Equal(["failed 2", "paid 1.5"], await payee.ShownAsync());
        Assert.Equal("margin_changed", (await payee.PayoutsAsync())[0].GetProperty("failure").Text("code"));
        await payee.MustHaveAsync("0.5");
        Assert.Equal(
            ["payout.failed"],
            await Eventually.GetAsync(() => ToldAsync((string)$"pyo_{id:N}"), told => told.Length == 1, "an event"));
    }

    [Fact]
    public async Task By_itself_one_project_that_cannot_be_paid_keeps_none_of_the_others_waiting()
    {
        var ((bad, account), (good, _)) = (await Payee.ReadyAsync(), await Payee.ReadyAsync());
        foreach (var payee in (Payee[])[bad, good])
            (await payee.Backend.PutAsync("/v1/connect/automatic", """{"threshold":"2"}""")).MustBe(200);
        (await Purchase.StripeAsync("POST", $"/v1/accounts/{account}", "metadata[llmgateway_account]=another")).MustBe(200);

        await Purchase.ReconcileAsync();

        Assert.Equal(["paid 2"], await good.ShownAsync());
        Assert.Empty(await bad.PayoutsAsync());
    }

    [Theory]
    [InlineData("""{"amount":"0"}""", "amount")]
    [InlineData("""{"amount":"-5"}""", "amount")]
    [InlineData("""{"amount":"0.99"}""", "amount")]
    [InlineData("""{"amount":"1.001"}""", "amount")]
    [InlineData("""{"amount":"2.01"}""", "amount")]
    [InlineData("""{"amount":"two"}""", "amount")]
    [InlineData("""{"amount":"2","currency":"EUR"}""", "currency")]
    public async Task What_cannot_be_paid_out_is_refused_by_name_and_nothing_is_written(string body, string param)
    {
        var payee = await Unpaid.Value;

        var reply = (await payee.Backend.PostAsync("/v1/connect/payouts", body)).MustBe(400);

        Assert.Equal(param, reply.Json.GetProperty("error").Text("param"));
        Assert.Empty(await payee.PayoutsAsync());
        await payee.MustHaveAsync("2");
    }

    [Theory]
    [InlineData("PUT", "/v1/connect/automatic", """{"threshold":"0.5"}""", "threshold")]
    [InlineData("PUT", "/v1/connect/automatic", """{"threshold":"2.005"}""", "threshold")]
    [InlineData("PUT", "/v1/connect/automatic", "{}", "threshold")]
    [InlineData("GET", "/v1/connect/payouts?cursor=x", null, "cursor")]
    [InlineData("GET", "/v1/connect/payouts?limit=0", null, "limit")]
    [InlineData("GET", "/v1/connect/payouts?status=paid", null, "status")]
    public async Task What_cannot_be_asked_for_is_refused_by_name(string method, string path, string? body, string param)
    {
        var payee = await Unpaid.Value;

        var reply = (await Gateway.SendAsync(method, path, payee.Backend.Key, body)).MustBe(400);

        Assert.Equal(param, reply.Json.GetProperty("error").Text("param"));
    }

    static readonly Lazy<Task<Payee>> Unpaid = new(async () => (await Payee.ReadyAsync()).Payee);

    /// <summary>A payout of all that is pending: Stripe's answer is lost, and so are its events, unless they are to come.</summary>
    static async Task LoseAsync(Payee payee, string account, string fault, int count, bool deliver = false)
    {
        await using var orders = new StripeOrders(account);
        await orders.HoldAsync();
        await orders.FailAsync(fault, Transfers, count);
        var reply = (await payee.PayOutAsync()).MustBe(202).Json;
        Assert.Equal(("pending", JsonValueKind.Null), (reply.Text("status"), reply.GetProperty("transferId").ValueKind));
        await (deliver ? orders.ReleaseAsync() : orders.LoseAsync());
    }

    /// <summary>
    /// Takes all that the platform has available away, to an account that only this test knows. Refunds of other tests may have taken some
    /// of it a moment before.
    /// </summary>
    static Task DrainAsync(string account) => Eventually.HoldsAsync(async () =>
    {
        var available = (await Purchase.StripeAsync("GET", "/v1/balance")).MustBe(200).Json.Items("available").First().Int("amount");
        var all = $"amount={available}&currency=usd&destination={account}";
        return available <= 0 || (await Purchase.StripeAsync("POST", "/v1/transfers", all)).Status == 200;
    }, "an empty platform");

    static Task AgeAsync(string payout) => ChangeAsync("created_at = created_at - interval '25 hours'", payout);

    static Task YesterdayAsync(string payout) => ChangeAsync("automatic = automatic - 1", payout);

    static Task ChangeAsync(string change, string payout) =>
        ExecuteAsync($"update payout set {change} where id = $1", Guid.Parse(payout["pyo_".Length..]));

    /// <summary>Changes one row.</summary>
    static async Task ExecuteAsync(string sql, params object[] values) =>
        Assert.Equal(1, await Purchase.RunAsync("billing", sql, values));

    /// <summary>Types of what owners were told of a payout, in the order of their numbers.</summary>
    static async Task<string[]> ToldAsync(string payout) =>
        (await Books.TextsAsync(
            Books.Webhooks, "select type from event where body like '%' || $1 || '%' order by sequence", payout)).ToArray();
}
