using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>Lots in the ledger's tables: what is shown without any job, what is paid back, and what verify finds.</summary>
public sealed class LotBookTests
{
    const long Dollar = Money.NanosPerUsd;

    /// <summary>A customer that has bought thousands of promotions waits for none of them.</summary>
    [Fact]
    public async Task Lots_that_are_used_up_are_not_read_by_those_who_pay()
    {
        await using var ledger = await OwnLedger.StartAsync();
        await ledger.RunAsync("""
            insert into lot (wallet, id, kind, since, amount, remaining, paid, created_at)
            select $1, gen_random_uuid(), 1, n, 5, case when n > 4990 then 5 else 0 end, 0, now() from generate_series(1, 5000) n
            """, ledger.Wallet);
        await ledger.RunAsync("analyze lot");
        await using var connection = await ledger.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);

        await using var explain = connection.Sql(
            $"explain (analyze, buffers) {LotRows.OfBalances}", new[] { ledger.Wallet }, Array.Empty<Guid>(), new[] { ledger.Wallet });
        var plan = new List<string>();
        await using (var line = await explain.ExecuteReaderAsync(TestContext.Current.CancellationToken))
            while (await line.ReadAsync(TestContext.Current.CancellationToken))
                plan.Add(line.GetString(0));

        Assert.Contains(plan, line => line.Contains("lot_with_something_left", StringComparison.Ordinal));
        Assert.DoesNotContain(plan, line => line.Contains("Seq Scan on lot", StringComparison.Ordinal)
            || line.Contains("Rows Removed by Filter", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_leases_from_before_hold_is_shown_until_they_end_and_then_expires_without_any_job()
    {
        await using var ledger = await OwnLedger.StartAsync();
        var (lease, another) = (Ids.New(), Ids.New());
        var lot = await CreditAsync(ledger, PostType.Grant, 40, DateTimeOffset.UtcNow.AddYears(1));
        await ExtendAsync(ledger, lease, Dollar + 10);
        await ledger.RunAsync("update lot set expires_at = now(); update lease set until = (select expires_at from lot)");

        Assert.Equal(Dollar + 40, await ShownAsync(ledger));
        await ledger.Writer.RunAsync(new GiveBack(new(lease, 1, [new(ledger.Wallet, Dollar - 20)])));
        Assert.Equal(Dollar + 30, await ShownAsync(ledger));
        var spent = ledger.Settlement(DateTimeOffset.UtcNow, cost: 25);
        await ledger.SettleAsync(spent with { Settlement = spent.Settlement with { Lease = lease } });
        Assert.IsType<Answer.Granted>(await ExtendAsync(ledger, another, 100));
        await ledger.RunAsync("update lease set expires_at = now() where id = $1", lease);

        Assert.Equal([$"{lot} 5"], await ledger.RowsAsync("select lots[1], remaining from usage_record, lot where lot.id = lots[1]"));
        Assert.Equal([new Answer.Done()], await ledger.Writer.RunAsync([new Expire(lease, [ledger.Wallet])]));
        Assert.Equal(Dollar, await ShownAsync(ledger));
        Assert.Equal([$"{Dollar} 15"], await ledger.RowsAsync(
            "select a.posted, e.posted from account a, account e where a.id = $1 and e.kind = 110", ledger.Wallet));
        await ledger.Writer.RunAsync(new GiveBack(new(another, 1, [new(ledger.Wallet, 100)])));
        await ledger.VerifyAsync();
    }

    /// <summary>Leases are granted, settled and given back on both sides of the moment. None of that makes it take anything else.</summary>
    [Fact]
    public async Task A_lot_that_expires_among_thousands_of_settlements_takes_nothing_but_its_own_rest()
    {
        const int workers = 20, most = 500, cost = 5, promoted = 1_000_000;
        await using var ledger = await OwnLedger.StartAsync();
        var bought = await CreditAsync(ledger, PostType.TopUp, 700);
        var end = DateTimeOffset.UtcNow.AddSeconds(2);
        var lot = await CreditAsync(ledger, PostType.Promotion, promoted, end);

        var counts = await Task.WhenAll(Enumerable.Range(0, workers).Select(async worker =>
        {
            var count = 0;
            for (; count < most && DateTimeOffset.UtcNow < end.AddMilliseconds(200); count++)
                await (worker % 2 == 0
                    ? SettleOnLeaseAsync(ledger, cost)
                    : ledger.SettleAsync(ledger.Settlement(DateTimeOffset.UtcNow, cost)));
            return count;
        }));
        await Eventually.HoldsAsync(() => Task.FromResult(DateTimeOffset.UtcNow > end), "the end of the lot");
        await ledger.Writer.RunAsync(new BookExpiry(ledger.Wallet));

        var spent = long.Parse(Assert.Single(await ledger.RowsAsync(
            "select coalesce(-sum(amount), 0) from entry where lot = $1 and type = 0", lot)), CultureInfo.InvariantCulture);
        Assert.InRange(spent, 0, counts.Sum() * cost);
        Assert.Equal(
            [$"{lot} {spent - promoted}"],
            await ledger.RowsAsync("select lot, sum(amount) from entry where type = 8 and account = $1 group by lot", ledger.Wallet));
        Assert.Equal(["700"], await ledger.RowsAsync("select sum(amount) from entry where lot = $1", bought));
        Assert.Equal([$"{Dollar + 700 + spent - (counts.Sum() * cost)} 0"], await ledger.RowsAsync(
            "select posted, reserved from account where id = $1", ledger.Wallet));
        await ledger.VerifyAsync();
    }

    static async Task<Answer[]> SettleOnLeaseAsync(OwnLedger ledger, int cost)
    {
        var (lease, settle) = (Ids.New(), ledger.Settlement(DateTimeOffset.UtcNow, cost));
        Assert.IsType<Answer.Granted>(await ExtendAsync(ledger, lease, 3 * cost));
        await ledger.SettleAsync(settle with { Settlement = settle.Settlement with { Lease = lease } });
        return await ledger.Writer.RunAsync([new GiveBack(new(lease, 1, [new(ledger.Wallet, 2 * cost)]))]);
    }

    [Fact]
    public async Task What_a_batch_did_not_cost_goes_back_to_its_lots_and_a_top_up_is_refunded_from_its_own()
    {
        await using var ledger = await OwnLedger.StartAsync();
        var first = await CreditAsync(ledger, PostType.TopUp, 50);
        var second = await CreditAsync(ledger, PostType.TopUp, 70);
        await ledger.Writer.RunAsync(new Post(Ids.New(), PostType.Debit, ledger.Scope, [Dollar]) { Text = "all but the lots" });
        var soon = await CreditAsync(ledger, PostType.Grant, 30, DateTimeOffset.UtcNow.AddYears(1));
        var batch = ledger.Settlement(DateTimeOffset.UtcNow, cost: 90);
        await ledger.SettleAsync(batch);
        Assert.Equal([$"{first} 0", $"{second} null", $"{soon} 0"], await LeftAsync());

        await ledger.Writer.RunAsync(new Rerate(
            Ids.New(), batch.Settlement.RequestId, ledger.Wallet, ledger.Scope.Organization, ledger.Scope.Project, false, Ids.New(), 75)
        {
            OfBatch = true,
        });
        Assert.Equal([$"{first} 5", $"{second} null", $"{soon} 0"], await LeftAsync());
        var refund = new Post(Ids.New(), PostType.Refund, ledger.Scope, [70, 0, 0]) { Lot = second };
        Assert.Equal(70, Assert.IsType<Answer.Done>(await ledger.Writer.RunAsync(refund)).Moved[0].Amount);
        Assert.Equal(["5"], await ledger.RowsAsync("select posted from account where id = $1", ledger.Wallet));
        await ledger.VerifyAsync();

        Task<List<string>> LeftAsync() => ledger.RowsAsync("select id, remaining from lot where id <> wallet order by since");
    }

    /// <summary>A lot that is used up is read for it, and so is what an earlier post of the dispute has given back.</summary>
    [Fact]
    public async Task What_a_dispute_took_of_a_promotion_is_in_it_again_when_it_is_won()
    {
        await using var ledger = await OwnLedger.StartAsync();
        var bought = await CreditAsync(ledger, PostType.TopUp, 50);
        var given = await CreditAsync(ledger, PostType.Promotion, 30, DateTimeOffset.UtcNow.AddYears(1));
        await ledger.Writer.RunAsync(new Post(Ids.New(), PostType.Debit, ledger.Scope, [10]) { Text = "of the promotion" });
        var dispute = new Post(Ids.New(), PostType.Dispute, ledger.Scope, [75, 0, 0]) { Lot = bought };
        await ledger.Writer.RunAsync(dispute);
        Assert.Equal([$"{bought} 0", $"{given} 0"], await SumsAsync());

        var part = new Post(Ids.New(), PostType.DisputeWon, ledger.Scope, [60, 0, 0]) { Lot = bought, Undoes = [dispute.Id] };
        var rest = new Post(Ids.New(), PostType.DisputeWon, ledger.Scope, [15, 0, 0]) { Lot = bought, Undoes = [dispute.Id, part.Id] };
        await ledger.Writer.RunAsync(part);
        await ledger.Writer.RunAsync(rest);
        Assert.True(Assert.IsType<Answer.Done>(await ledger.Writer.RunAsync(rest with { Undoes = [] })).Repeated);

        Assert.Equal([$"{bought} 50", $"{given} 20"], await SumsAsync());
        Assert.Equal([$"{Dollar + 70}"], await ledger.RowsAsync("select posted from account where id = $1", ledger.Wallet));
        await ledger.VerifyAsync();

        Task<List<string>> SumsAsync() => ledger.RowsAsync(
            "select l.id, sum(e.amount) from lot l join entry e on e.lot = l.id group by l.id, l.since order by l.since");
    }

    [Theory]
    [InlineData("update lot set remaining = remaining - 1")]
    [InlineData("delete from lot")]
    [InlineData("update account set lots = 2 where lots = 1")]
    public async Task Lots_that_somebody_has_changed_are_found_out(string change)
    {
        await using var ledger = await OwnLedger.StartAsync();
        await CreditAsync(ledger, PostType.Grant, 40, DateTimeOffset.UtcNow.AddYears(1));
        await ledger.VerifyAsync();

        await ledger.RunAsync(change);

        Assert.False((bool)(await ledger.GetAsync("/internal/verify"))["ok"]!);
    }

    static async Task<Guid> CreditAsync(OwnLedger ledger, PostType type, long amount, DateTimeOffset? expiresAt = null)
    {
        var post = new Post(Ids.New(), type, ledger.Scope, type == PostType.TopUp ? [amount, 0, 0] : [amount]) { ExpiresAt = expiresAt };
        Assert.IsType<Answer.Done>(await ledger.Writer.RunAsync(post));
        return post.Id;
    }

    static Task<Answer> ExtendAsync(OwnLedger ledger, Guid lease, long amount) => ledger.Writer.RunAsync(
        new Extend(new(lease, 1, "proxy", [new(ledger.Wallet, amount, amount, amount, amount)]), Final: true));

    static async Task<long> ShownAsync(OwnLedger ledger) =>
        long.Parse(
            Assert.Single(await ledger.RowsAsync("select shown_balance(account) from account where id = $1", ledger.Wallet)),
            CultureInfo.InvariantCulture);
}
