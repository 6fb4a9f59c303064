namespace LlmGateway.EndToEnd;

/// <summary>What goes back to the card: by our route, by Stripe's dashboard, by the card's bank.</summary>
public sealed class RefundTests
{
    [Fact]
    public async Task A_part_goes_back_in_proportion_and_the_next_part_makes_it_whole()
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");

        var refund = (await purchase.RefundAsync("""
            "amount":"3.15","reason":"half of it was no good"
            """)).MustBe(201).Json;
        Assert.Equal(("3.15", "succeeded", purchase.Id), (refund.Text("amount"), refund.Text("status"), refund.Text("payment")));
        await purchase.MustHaveAsync("5.833333334"); // 8.333333333 × 0.7, rounded up
        Assert.Equal("3.15", (await purchase.ShownAsync()).Text("refunded"));

        Assert.Equal("7.35", (await purchase.RefundAsync("")).MustBe(201).Json.Text("amount"));
        await purchase.MustHaveAsync("0");
        Assert.Equal(["refund -5.833333334", "refund -2.499999999", "topup 8.333333333"], await purchase.EntriesAsync());
        Assert.All(await HouseAsync(purchase), left => Assert.Equal(0, left));
    }

    [Fact]
    public async Task A_statement_says_in_words_what_each_line_is_and_names_the_payment_or_the_refund()
    {
        var purchase = await Purchase.PaidAsync(method: Purchase.RefundFails);
        await purchase.MustHaveAsync("8.333333333");
        var refund = (await purchase.RefundAsync("\"amount\":\"10.5\"")).MustBe(201).Json.Text("id");
        var path = $"/v1/wallets/{purchase.User.WalletId}/ledger";

        var lines = await Eventually.GetAsync(
            async () => (await Backend.App.GetAsync(path)).MustBe(200).Json.Items("entries").ToArray(), found => found.Length == 3,
            "what came back");

        Assert.Equal(
            [("reversal", "Refund that has failed"), ("refund", "Refund"), ("topup", "Top-up")],
            lines.Select(line => (line.Text("type"), line.Text("description"))));
        Assert.Equal((refund, purchase.Id), (lines[1].Text("reference"), lines[2].Text("reference")));
        Assert.NotEmpty(lines[0].Text("reference"));
        var table = (await Backend.App.GetAsync($"{path}?format=csv")).MustBe(200).Text.Split('\n');
        Assert.EndsWith($",Refund,{refund},,", table[2]);
        Assert.EndsWith($",Top-up,{purchase.Id},,", table[3]);
    }

    [Fact]
    public async Task More_than_is_left_is_refused_with_both_numbers_and_owed_when_it_is_forced()
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");
        await purchase.SpendAsync("7.5"); // 0.833333333 is left, a tenth

        var refused = (await purchase.RefundAsync("\"amount\":\"10.5\"")).MustBe(400);
        Assert.Contains("10.5 USD", refused.Json.GetProperty("error").Text("message"));
        Assert.Contains("1.05 USD", refused.Json.GetProperty("error").Text("message"));
        Assert.Equal(["adjustment -7.5", "topup 8.333333333"], await purchase.EntriesAsync());

        (await purchase.RefundAsync("\"amount\":\"10.5\",\"force\":true")).MustBe(201);
        await purchase.MustHaveAsync("0");
        Assert.Equal(-7_500_000_000, await purchase.OwedAsync());

        var next = await Purchase.BeginAsync(purchase.User, "12");
        (await next.PayAsync()).MustBe(200);
        await next.MustHaveAsync("2.5");
        Assert.Equal(0, await purchase.OwedAsync());
    }

    [Theory]
    [InlineData(true, "9.25", "9.24", "0")] // spent is what was given, and one dollar of what was paid
    [InlineData(false, "2.95", "2.94", "5")] // spent is what was paid, and what was given is there
    public async Task What_was_given_is_spent_first_and_never_goes_back_to_a_card(
        bool isGivenFirst, string tooMuch, string refundable, string left)
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");
        if (isGivenFirst)
            await GiveAsync();
        await purchase.SpendAsync("6");
        if (!isGivenFirst)
            await GiveAsync();

        var refused = (await purchase.RefundAsync($"\"amount\":\"{tooMuch}\"")).MustBe(400).Json.GetProperty("error");
        Assert.Contains($"{refundable} USD", refused.Text("message"));
        Assert.Equal(refundable, (await purchase.RefundAsync("")).MustBe(201).Json.Text("amount"));

        Assert.Equal(left, Gateway.Usd(await purchase.User.BalanceAsync()));
        Assert.Equal(0, await purchase.OwedAsync());

        async Task GiveAsync() => (await Backend.App.PostAsync(
            $"/v1/wallets/{purchase.User.WalletId}/credit",
            """{"amount":"5","kind":"promotion","expiresAt":"2999-01-01T00:00:00Z"}""")).MustBe(200);
    }

    [Fact]
    public async Task A_refund_in_Stripe_s_dashboard_comes_out_as_one_by_our_route()
    {
        var (ours, theirs) = (await Purchase.PaidAsync(), await Purchase.PaidAsync());
        foreach (var purchase in (Purchase[])[ours, theirs])
        {
            await purchase.MustHaveAsync("8.333333333");
            await purchase.SpendAsync("7.5");
        }

        (await ours.RefundAsync("\"amount\":\"0.01\"")).MustBe(201);
        (await ours.RefundAsync("\"amount\":\"10.49\",\"force\":true")).MustBe(201);
        (await theirs.RefundAtStripeAsync(1)).MustBe(200);
        (await theirs.RefundAtStripeAsync(1049)).MustBe(200);

        foreach (var purchase in (Purchase[])[ours, theirs])
        {
            await purchase.MustHaveAsync("0");
            await Eventually.HoldsAsync(async () => await purchase.OwedAsync() == -7_500_000_000, "what is owed");
            Assert.All(await HouseAsync(purchase), left => Assert.Equal(0, left));
            Assert.Equal("10.5", (await purchase.ShownAsync()).Text("refunded"));
        }
    }

    [Fact]
    public async Task Two_refunds_of_the_same_amount_both_happen_and_a_repeated_call_is_one()
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");
        var (path, body) = ($"/v1/wallets/{purchase.User.WalletId}/refunds", $$"""{"payment":"{{purchase.Id}}","amount":"1"}""");

        var first = (await Backend.App.PostAsync(path, body, "one")).MustBe(201);
        var again = (await Backend.App.PostAsync(path, body, "one")).MustBe(201);
        var second = (await Backend.App.PostAsync(path, body, "two")).MustBe(201);

        Assert.Equal(first.Json.Text("id"), again.Json.Text("id"));
        Assert.NotEqual(first.Json.Text("id"), second.Json.Text("id"));
        Assert.Equal("2", (await purchase.ShownAsync()).Text("refunded"));
        Assert.Equal(2, (await Backend.App.GetAsync(path)).MustBe(200).Json.Items("refunds").Count());
    }

    [Fact]
    public async Task A_refund_that_fails_days_later_is_in_the_wallet_again_and_says_so()
    {
        var purchase = await Purchase.PaidAsync(method: Purchase.RefundFails);
        await purchase.MustHaveAsync("8.333333333");

        (await purchase.RefundAsync("\"amount\":\"10.5\"")).MustBe(201);
        await purchase.MustHaveAsync("8.333333333");

        await Eventually.HoldsAsync(async () => await StatusAsync() == "failed", "the refund's failure");
        Assert.Equal(["reversal 8.333333333", "refund -8.333333333", "topup 8.333333333"], await purchase.EntriesAsync());
        var lot = Assert.Single((await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}")).Json.Items("lots"));
        Assert.Equal(("topup", "8.333333333"), (lot.Text("kind"), lot.Text("remaining")));

        async Task<string> StatusAsync() => (await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}/refunds")).MustBe(200).Json
            .Items("refunds").Single().Text("status");
    }

    [Theory]
    [InlineData("winning_evidence", "won", "active", "8.333333333")]
    [InlineData("losing_evidence", "lost", "frozen", "0")]
    public async Task A_dispute_freezes_and_takes_and_its_end_gives_back_or_not(string evidence, string end, string wallet, string balance)
    {
        var purchase = await Purchase.PaidAsync(method: Purchase.Disputed);
        var dispute = await Eventually.GetAsync(
            async () => (await Purchase.StripeAsync("GET", $"/v1/disputes?payment_intent={purchase.Intent}")).MustBe(200).Json.Items("data")
                .Select(one => one.Text("id")).SingleOrDefault(),
            id => id is not null, "a dispute");
        await purchase.MustHaveAsync("0");
        await MustBeAsync("frozen");

        (await Purchase.StripeAsync("POST", $"/v1/disputes/{dispute}", $"evidence[uncategorized_text]={evidence}")).MustBe(200);

        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from dispute where id = $1 and status = $2", dispute!, end) == 1,
            $"a dispute that is {end}");
        await purchase.MustHaveAsync(balance);
        await MustBeAsync(wallet);
        Assert.Equal(
            ["dispute.opened", "dispute.closed"],
            await Eventually.GetAsync(() => ToldAsync(dispute!), told => told.Length == 2, "two events"));

        Task MustBeAsync(string status) => Eventually.HoldsAsync(
            async () => (await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}")).MustBe(200).Json.Text("status") == status,
            $"a wallet that is {status}");
    }

    [Fact]
    public async Task A_list_of_a_wallet_that_is_misspelt_or_somebody_else_s_is_not_there_and_one_of_an_own_wallet_may_be_empty()
    {
        var user = await Backend.App.NewUserAsync(credit: null);
        foreach (var (list, members) in ((string, string)[])[("top-ups", "topUps"), ("refunds", "refunds")])
        {
            Assert.Empty((await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}/{list}")).MustBe(200).Json.Items(members));
            foreach (var stranger in (Backend[])[Backend.Other, Backend.AppTest])
                (await stranger.GetAsync($"/v1/wallets/{user.WalletId}/{list}")).MustBe(404);
            foreach (var wrong in (string[])["wal_nothing", $"wal_{Guid.NewGuid():N}"])
                (await Backend.App.GetAsync($"/v1/wallets/{wrong}/{list}")).MustBe(404);
        }
    }

    /// <summary>What Stripe says of its account is the operator's alone.</summary>
    [Fact]
    public async Task What_Stripe_refuses_is_answered_in_our_words_and_can_be_asked_for_again()
    {
        const string said = "The operator's money at Stripe is not available yet. Try again later.";
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");
        await using StripeOrders ofIntent = new(purchase.Intent), ofWallet = new(purchase.User.WalletId);
        await ofIntent.FailAsync("refusal", "POST /v1/refunds");
        var failed = (await purchase.RefundAsync("")).MustBe(201).Json;
        Assert.Equal(("failed", said), (failed.Text("status"), failed.Text("failure")));
        await purchase.MustHaveAsync("8.333333333");

        await ofWallet.FailAsync("refusal", "POST /v1/payment_intents");
        Refused(await Purchase.AskAsync(purchase.User, """{"amount":"10"}"""));
        await Purchase.BeginAsync(purchase.User, "10");

        await ofWallet.FailAsync("refusal", "POST /v1/setup_intents");
        Refused(await SaveAsync());
        (await SaveAsync()).MustBe(200);

        Task<Reply> SaveAsync() => Gateway.SendAsync("POST", "/v1/wallet/payment-method", purchase.User.Token);

        static void Refused(Reply reply) => Assert.Equal(
            ("stripe_refused", said), (reply.MustBe(409).Code, reply.Json.GetProperty("error").Text("message")));
    }

    [Fact]
    public async Task What_its_owner_freezes_during_a_dispute_stays_frozen_when_that_is_won()
    {
        var purchase = await Purchase.PaidAsync(method: Purchase.Disputed);
        var wallet = $"/v1/wallets/{purchase.User.WalletId}";
        var dispute = await Eventually.GetAsync(
            async () => (await Purchase.StripeAsync("GET", $"/v1/disputes?payment_intent={purchase.Intent}")).MustBe(200).Json.Items("data")
                .Select(one => one.Text("id")).SingleOrDefault(),
            id => id is not null, "a dispute");
        await Eventually.HoldsAsync(async () => await StatusAsync() == "frozen", "the frozen wallet");
        (await Backend.App.PostAsync($"{wallet}/freeze", "{}")).MustBe(200);

        (await Purchase.StripeAsync("POST", $"/v1/disputes/{dispute}", "evidence[uncategorized_text]=winning_evidence")).MustBe(200);
        await purchase.MustHaveAsync("8.333333333");
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from dispute where id = $1 and status = 'won' and not froze", dispute!) == 1,
            "the end of the dispute");

        Assert.Equal("frozen", await StatusAsync());
        (await Backend.App.PostAsync($"{wallet}/unfreeze", "{}")).MustBe(200);
        Assert.Equal("active", await StatusAsync());

        async Task<string?> StatusAsync() => (await Backend.App.GetAsync(wallet)).MustBe(200).Json.Text("status");
    }

    [Theory]
    [InlineData("\"amount\":\"0\"", 400, "amount")]
    [InlineData("\"amount\":\"-1\"", 400, "amount")]
    [InlineData("\"amount\":\"1.001\"", 400, "amount")]
    [InlineData("\"amount\":\"10.51\"", 400, "amount")]
    [InlineData("\"amount\":\"10.51\",\"force\":true", 400, "amount")]
    [InlineData("\"amount\":\"1\",\"reason\":7", 400, "reason")]
    public async Task What_cannot_be_refunded_is_refused_by_name_and_nothing_moves(string more, int status, string param)
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");

        var reply = (await purchase.RefundAsync(more)).MustBe(status);

        Assert.Equal(param, reply.Json.GetProperty("error").Text("param"));
        Assert.Equal(["topup 8.333333333"], await purchase.EntriesAsync());
        Assert.Empty((await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}/refunds")).MustBe(200).Json.Items("refunds"));
    }

    [Fact]
    public async Task A_payment_of_another_wallet_project_or_mode_is_not_there_and_one_that_is_not_paid_is_refused()
    {
        var purchase = await Purchase.PaidAsync();
        var other = await Backend.App.NewUserAsync(credit: null);
        var body = $$"""{"payment":"{{purchase.Id}}"}""";
        var open = await Purchase.BeginAsync(other, "10");

        Assert.Equal("payment", (await Backend.App.PostAsync($"/v1/wallets/{other.WalletId}/refunds", body)).MustBe(404).Json
            .GetProperty("error").Text("param"));
        foreach (var stranger in (Backend[])[Backend.Other, Backend.AppTest])
            Assert.Equal(404, (await stranger.PostAsync($"/v1/wallets/{purchase.User.WalletId}/refunds", body)).Status);
        Assert.Equal("payment_not_paid", (await open.RefundAsync("")).MustBe(409).Code);
        Assert.Equal(401, (await Gateway.SendAsync("POST", $"/v1/wallets/{other.WalletId}/refunds", other.Token, body)).Status);
    }

    /// <summary>The project's part of this payment alone: what its postings leave to margin, fees and clearing.</summary>
    static async Task<long[]> HouseAsync(Purchase purchase)
    {
        const string part = "select coalesce(sum(e.amount), 0)::bigint from entry e join account a on a.id = e.account "
            + "where a.kind = $2 and e.transfer in (select transfer from entry join account on account.id = entry.account "
            + "where owner = $1 and kind in (0, 108))";
        var sums = new List<long>();
        foreach (var kind in (short[])[105, 106, 107])
            sums.Add(await Purchase.NumberAsync("wallet", part, purchase.User.Customer, kind));
        return [.. sums];
    }

    static async Task<string[]> ToldAsync(string dispute)
    {
        await using var database = Npgsql.NpgsqlDataSource.Create(Stack.Connection("webhooks"));
        await using var query = database.CreateCommand(
            "select type from event where type like 'dispute.%' and body like '%' || $1 || '%' order by sequence");
        query.Parameters.Add(new() { Value = dispute });
        var types = new List<string>();
        await using var row = await query.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        while (await row.ReadAsync(TestContext.Current.CancellationToken))
            types.Add(row.GetString(0));
        return [.. types];
    }
}
