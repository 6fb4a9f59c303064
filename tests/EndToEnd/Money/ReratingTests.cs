using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>Reratings: a wrong price is corrected afterwards.</summary>
[Collection(nameof(Alone))]
public sealed class ReratingTests
{
    const long Cost = Price.OfQuestion + Price.OfAnswer; // 43 000

    [Fact]
    public async Task A_period_is_priced_anew_by_corrections_that_happen_once_and_stop_at_what_the_wallet_has()
    {
        var from = DateTimeOffset.UtcNow;
        var (rich, poor) = (await Backend.App.NewUserAsync("1"), await Backend.App.NewUserAsync(Gateway.Usd(200_000)));
        foreach (var user in (User[])[rich, poor])
            (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await rich.BalanceAfterAsync(1);
        await Books.UsageAsync(poor, 1);
        await Books.WaitUntilRightAsync();
        // Ten times the price: 387 000 more for each, of which the poor one has 157 000.
        var dearer = await RequestAsync(rich, from, "10", "20");

        var plan = (await RerateAsync(dearer, dryRun: true)).MustBe(200).Json.GetProperty("planned");
        Assert.Equal(
            (2, 2 * Cost, 20 * Cost),
            (plan.Int("changed"), Gateway.Nanos(plan.GetProperty("costBefore")), Gateway.Nanos(plan.GetProperty("costAfter"))));
        Assert.Equal(1_000_000_000 - Cost, await rich.BalanceAsync());

        for (var call = 0; call < 2; call++)
        {
            var booked = (await RerateAsync(dearer)).MustBe(200).Json.GetProperty("booked");
            Assert.Equal(
                (2, 9 * Cost + 157_000, 9 * Cost - 157_000),
                (booked.Int("requests"), Gateway.Nanos(booked.GetProperty("charged")), Gateway.Nanos(booked.GetProperty("absorbed"))));
        }
        Assert.Equal((1_000_000_000 - 10 * Cost, 0), (await rich.BalanceAsync(), await poor.BalanceAsync()));
        (await RerateAsync(dearer.Replace("\"10\"", "\"11\"", StringComparison.Ordinal))).MustBeProblem(409, "rerating_differs", "id");

        // At half the first price the house gets back what it bore, before the wallet gets back what it paid.
        (await RerateAsync(await RequestAsync(rich, from, "0.5", "1"))).MustBe(200);
        Assert.Equal((1_000_000_000 - Cost / 2, 200_000 - Cost / 2), (await rich.BalanceAsync(), await poor.BalanceAsync()));
        Assert.Equal(Cost, (await Books.OnlyUsageAsync(rich)).Charged);
        var entries = (await Backend.App.GetAsync($"/v1/wallets/{rich.WalletId}/ledger")).MustBe(200).Json.Items("entries").ToArray();
        Assert.Equal(["adjustment", "adjustment", "usage", "grant"], entries.Select(entry => entry.Text("type")));
        Assert.StartsWith("new price of req_", entries[0].Text("description"));
        await Books.WaitUntilRightAsync();
    }

    /// <summary>On a database of its own, because the booking is in no sum of the usage log.</summary>
    [Fact]
    public async Task A_booking_that_is_under_way_when_the_period_ends_is_waited_for()
    {
        var from = DateTimeOffset.UtcNow;
        await using var ledger = await OwnLedger.StartAsync();
        await ledger.SettleAsync(ledger.Settlement(from));
        await using var connection = await ledger.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        // As the ledger writes it: the clock is read under the lock, and the row is seen from the commit on.
        await using var booking = new Npgsql.NpgsqlCommand($$"""
            select pg_advisory_xact_lock_shared({{ClockLock.Key}});
            insert into usage_record select (jsonb_populate_record(null::usage_record, to_jsonb(u) || jsonb_build_object(
                'request_id', left(u.request_id::text, 14) || right(gen_random_uuid()::text, 22), 'charged', 0, 'absorbed', 0,
                'created_at', clock_timestamp()))).*
            from usage_record u
            """, connection, transaction);
        Assert.Equal(1, await booking.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));

        var rerating = ledger.GetAsync("/internal/reratings", JsonNode.Parse(Dry(Request(OwnLedger.Project, from, "10", "20"))));
        await Eventually.HoldsAsync(async () => rerating.IsCompleted || await WaitsForClockAsync(), "the wait for the booking");
        await transaction.CommitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(2, (int)(await rerating)["planned"]!["requests"]!);
    }

    static async Task<bool> WaitsForClockAsync()
    {
        await using var locks = Books.Wallet.CreateCommand(
            "select exists (select from pg_locks where locktype = 'advisory' and not granted)");
        return (bool)(await locks.ExecuteScalarAsync())!;
    }

    /// <summary>Its tokens were the customer's own, at whatever price: dollars are never taken for them, not even long after.</summary>
    [Theory]
    [InlineData(AccountKind.Quota, true)]
    [InlineData(AccountKind.Limit, false)]
    [InlineData(null, true)] // it is deleted by now
    public async Task A_request_that_a_quota_has_paid_is_never_the_wallets(AccountKind? counter, bool isCovered)
    {
        await using var ledger = await OwnLedger.StartAsync();
        var (register, lease) = (Ids.New(), Ids.New());
        await ledger.Writer.RunAsync(new Extend(new(lease, 1, "proxy", [new(register, 1, 1, 1, 1)
        {
            Counter = new(counter ?? AccountKind.Quota, Unit.Tokens, null, 100, DateTimeOffset.UnixEpoch, Term.Ever),
        }])
        { FirstSource = 1, Scope = new(OwnLedger.Organization, OwnLedger.Project, ledger.Wallet, false) }, Final: true));
        var free = ledger.Settlement(DateTimeOffset.UtcNow, cost: 0);
        var settlement = free.Settlement with { Lease = lease, Charges = [new(register, 1)] };
        await ledger.SettleAsync(new Settle(settlement) { Record = SettlementRecord.Encode(settlement).ToArray() });
        if (counter is null)
            await ledger.RunAsync("delete from account where id = $1", register);

        var rating = Ids.New();
        await ledger.Writer.RunAsync(new Rerate(
            rating, settlement.RequestId, ledger.Wallet, OwnLedger.Organization, OwnLedger.Project, false, Ids.New(), 300));

        Assert.Equal(
            [isCovered ? "0 0 300" : "300 0 0"],
            await ledger.RowsAsync("select charged, absorbed, covered from correction where rerating = $1", rating));
        if (counter is not null)
            await ledger.VerifyAsync();
    }

    /// <summary>One request of which a quota has paid a part, and one that the wallet has paid: both get dearer.</summary>
    [Fact]
    public async Task The_report_says_of_all_that_costs_have_changed_by_whose_it_is()
    {
        var from = DateTimeOffset.UtcNow.AddSeconds(-1);
        var customer = Ids.New();
        await using var ledger = await OwnLedger.StartAsync(wallet: Ids.WalletOf(customer));
        var paid = ledger.Settlement(DateTimeOffset.UtcNow).Settlement;
        paid = paid with { Usage = paid.Usage with { Customer = customer } };
        var covered = paid with { RequestId = Ids.New(), Charges = [new(ledger.Wallet, 2)], Due = 2 };
        await ledger.SettleAsync([.. ((Settlement[])[paid, covered]).Select(settlement =>
            new Settle(settlement) { Record = SettlementRecord.Encode(settlement).ToArray() })]);

        var report = await ledger.GetAsync("/internal/reratings", JsonNode.Parse(Request(OwnLedger.Project, from, "10", "20")));

        var (planned, booked) = (report["planned"]!, report["booked"]!);
        Assert.Equal((9_995, 0, 9_995), (NanosOf(booked["charged"]), NanosOf(booked["absorbed"]), NanosOf(booked["covered"])));
        Assert.Equal(19_990, NanosOf(planned["costAfter"]) - NanosOf(planned["costBefore"]));
        await ledger.VerifyAsync();

        static long NanosOf(JsonNode? amount) => Money.Parse((string)amount!).Nanos;
    }

    [Fact]
    public async Task Batches_of_the_period_keep_what_they_cost()
    {
        var from = DateTimeOffset.UtcNow;
        var user = await Backend.Wires.NewUserAsync("1");
        (await Gateway.SendAsync(
            "POST",
            "/v1/messages/batches",
            user.Token,
            """
            {"requests":[{"custom_id":"a","params":{"model":"messages-batch-pending","max_tokens":500,
            "messages":[{"role":"user","content":"hello"}]}}]}
            """.ReplaceLineEndings("")))
            .MustBe(200);
        var balance = await user.BalanceAfterAsync(1);

        var dearer = (await RequestAsync(user, from, "10", "20"))
            .Replace("\"model\":\"small\"", "\"model\":\"messages-batch-pending\"", StringComparison.Ordinal);
        var report = (await RerateAsync(dearer)).MustBe(200).Json;

        Assert.Equal((0, 0), (report.GetProperty("planned").Int("changed"), report.GetProperty("booked").Int("requests")));
        Assert.Equal(balance, await user.BalanceAsync());
    }

    [Fact]
    public async Task A_period_that_cannot_be_priced_or_is_not_over_is_refused_before_anything_moves()
    {
        var from = DateTimeOffset.UtcNow;
        var user = await Backend.App.NewUserAsync("1");
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        var balance = await user.BalanceAfterAsync(1);

        (await RerateAsync((await RequestAsync(user, from, "1", "1")).Replace("\"output\"", "\"reasoning\"", StringComparison.Ordinal)))
            .MustBeProblem(400, "invalid_value", "prices");
        (await RerateAsync(await RequestAsync(user, from, "1", "1", DateTimeOffset.UtcNow.AddHours(1))))
            .MustBeProblem(400, "invalid_value", "to");
        foreach (var wrong in (string[])["0.000001", "1000000", "-1"])
            (await RerateAsync(await RequestAsync(user, from, "1", wrong))).MustBeProblem(400, "invalid_value", "prices.output");

        Assert.Equal(balance, await user.BalanceAsync());
    }

    static async Task<string> RequestAsync(User user, DateTimeOffset from, string input, string output, DateTimeOffset? to = null) =>
        Request(await Books.ProjectAsync(user), from, input, output, to);

    static string Request(Guid project, DateTimeOffset from, string input, string output, DateTimeOffset? to = null) => $$"""
        {"id":"{{Guid.NewGuid()}}","project":"{{project}}","test":false,"model":"small",
        "from":"{{from:O}}","to":"{{to ?? DateTimeOffset.UtcNow:O}}",
        "priceVersion":"{{Guid.NewGuid()}}","prices":{"input":"{{input}}","output":"{{output}}"} }
        """;

    static string Dry(string request) => request.Replace("\"test\":false", "\"test\":false,\"dryRun\":true", StringComparison.Ordinal);

    static Task<Reply> RerateAsync(string request, bool dryRun = false) => Gateway.SendAsync("POST", "/internal/reratings",
        json: dryRun ? Dry(request) : request, at: Stack.Wallet, headers: [Stack.Signed("operator", "wallet")]);
}
