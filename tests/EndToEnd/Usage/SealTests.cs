using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>What a seal spares the next proof, and what it must never hide.</summary>
public sealed class SealTests : OnOwnLedger
{
    [Fact]
    public async Task What_is_changed_behind_a_seal_is_found_by_the_full_proof_and_what_is_changed_after_it_by_the_short_one()
    {
        await SettleAsync();
        await SealAsync();
        await SettleAsync();
        await _ledger.VerifyAsync();

        await _ledger.TamperAsync("entry", $"update entry set amount = amount - 1 where account = '{_ledger.Wallet}' and version = 2");
        Assert.Equal([], await _ledger.WrongAsync(full: false));
        Assert.Contains(await _ledger.WrongAsync(full: true), OfEntries);

        await _ledger.TamperAsync("entry", $"update entry set amount = amount + 1 where account = '{_ledger.Wallet}' and version = 2");
        await _ledger.VerifyAsync();
        await _ledger.TamperAsync("entry", $"delete from entry where account = '{_ledger.Wallet}' and version = 3");
        Assert.Contains(await _ledger.WrongAsync(full: false), OfEntries);
    }

    /// <summary>What is booked has the date that was reached then, until the clock has caught up: before the seal, and after it.</summary>
    [Fact]
    public async Task A_seal_that_is_made_after_a_leap_of_the_clock_hides_nothing_and_cries_no_wolf()
    {
        await _ledger.RunAsync("update summed set booked_until = now() + interval '3 days'");
        for (var i = 0; i < 2; i++)
        {
            await SettleAsync();
            await SealAsync();
            await _ledger.VerifyAsync();
        }
        await SettleAsync();
        await _ledger.VerifyAsync();
    }

    static bool OfEntries(string wrong) => wrong.StartsWith("every account equals its entries", StringComparison.Ordinal);

    [Fact]
    public async Task What_is_wrong_in_two_projects_does_not_cancel_out()
    {
        var theirs = _ledger.Settlement(DateTimeOffset.UtcNow).Settlement;
        theirs = theirs with { Usage = theirs.Usage with { Project = Ids.New() } };
        await SettleAsync();
        Assert.Equal(
            [new Answer.Done()],
            await _ledger.SettleAsync(new Settle(theirs) { Record = SettlementRecord.Encode(theirs).ToArray() }));
        await _ledger.VerifyAsync();

        await _ledger.RunAsync(
            "update account set posted = posted + case when project = $1 then 1 else -1 end where kind = 101", OwnLedger.Project);

        Assert.Contains(await _ledger.WrongAsync(full: true), wrong => wrong.StartsWith(
            "what providers are owed for each project and mode", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_said_to_be_absorbed_and_to_be_covered_is_proved_for_each_request_and_correction()
    {
        var settle = _ledger.Settlement(DateTimeOffset.UtcNow);
        await _ledger.SettleAsync(settle);
        await _ledger.Writer.RunAsync(_ledger.Correction(settle, cost: 9));
        await _ledger.VerifyAsync();

        foreach (var (table, found) in ((string, string)[])[("usage_record", "usage records"), ("correction", "corrections and")])
        {
            await _ledger.TamperAsync(table, $"update {table} set absorbed = absorbed + 2, covered = covered - 2");
            foreach (var full in (bool[])[false, true])
                Assert.Contains(await _ledger.WrongAsync(full), wrong => wrong.StartsWith(found, StringComparison.Ordinal));
            await _ledger.TamperAsync(table, $"update {table} set absorbed = absorbed - 2, covered = covered + 2");
        }
    }

    /// <summary>With few rows the planner reads the table; what matters is that it need not.</summary>
    [Theory]
    [InlineData("transfer", "transfer_by_booking")]
    [InlineData("correction", "correction_by_booking")]
    [InlineData("window_opening", "window_opening_by_time")]
    public async Task What_was_booked_since_a_seal_is_found_by_its_time(string table, string index)
    {
        await using var connection = await _ledger.Database.OpenConnectionAsync(Token);
        await using (var indexesOnly = connection.Sql("set enable_seqscan = off"))
            await indexesOnly.ExecuteNonQueryAsync(Token);
        await using var explain = connection.Sql(
            $"explain (format text) select * from {table} where created_at >= (select proved_at from sealed)");
        var plan = new List<string>();
        await using (var line = await explain.ExecuteReaderAsync(Token))
            while (await line.ReadAsync(Token))
                plan.Add(line.GetString(0));
        Assert.Contains(plan, line => line.Contains(index, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("update account set posted = posted + 1 where kind = 0", "every account equals its entries")]
    [InlineData("update account set spent = spent + 1 where kind = 0", "lifetime figures")]
    [InlineData("update account set posted = posted + 1 where kind = 101", "what providers are owed")]
    [InlineData("update rollup set cost = cost + 1 where dimension = 1", "every dimension of the roll-ups")]
    [InlineData("update rollup set cost = cost + 1 where grain = 1", "the roll-up of each day")]
    [InlineData("update rollup set cost = cost + 1", "roll-ups equal the usage log")]
    [InlineData("delete from rollup", "roll-ups equal the usage log")]
    public async Task What_is_summed_up_is_proved_against_the_rows_behind_a_seal_and_without_one(string tampering, string found)
    {
        await SettleAsync();
        await SealAsync();
        await SettleAsync();
        await _ledger.Rollups.SumUpAsync(Token);

        await _ledger.RunAsync(tampering);

        Assert.Contains(await _ledger.WrongAsync(full: false), wrong => wrong.StartsWith(found, StringComparison.Ordinal));
        Assert.Contains(await _ledger.WrongAsync(full: true), wrong => wrong.StartsWith(found, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Lots_are_proved_from_the_seal_on_whenever_they_were_made_spent_and_expired()
    {
        await SettleAsync();
        await SealAsync();
        await LotAsync(PostType.Promotion, DateTimeOffset.UtcNow.AddYears(1));
        await SettleAsync();
        await SealVerifiedAsync();
        await LotAsync(PostType.TopUp);
        await SettleAsync();
        await SealVerifiedAsync();
        await _ledger.RunAsync("update lot set expires_at = now() where expires_at is not null");
        await SettleAsync();
        await SealVerifiedAsync();
        await SettleAsync();

        await _ledger.TamperAsync("entry", "update entry set lot = null where lot is not null and type = 0 and version = 4");
        Assert.Equal([], await _ledger.WrongAsync(full: false));
        Assert.Contains(await _ledger.WrongAsync(full: true), OfLots);
        await _ledger.RunAsync("update lot set remaining = remaining - 1 where remaining > 0");
        Assert.Contains(await _ledger.WrongAsync(full: false), OfLots);

        async Task LotAsync(PostType type, DateTimeOffset? expiresAt = null) => Assert.IsType<Answer.Done>(await _ledger.Writer.RunAsync(
            new Post(Ids.New(), type, _ledger.Scope, type == PostType.TopUp ? [70, 0, 0] : [70]) { ExpiresAt = expiresAt }));

        async Task SealVerifiedAsync()
        {
            await _ledger.VerifyAsync();
            await SealAsync();
            await _ledger.VerifyAsync();
        }
    }

    static bool OfLots(string wrong) => wrong.StartsWith("every lot equals its entries", StringComparison.Ordinal);

    [Fact]
    public async Task Nothing_that_is_wrong_is_ever_sealed()
    {
        await SettleAsync();
        await SealAsync();
        var sealedBefore = await SealsAsync();
        await SettleAsync();
        await _ledger.TamperAsync("entry", $"update entry set amount = amount - 1 where account = '{_ledger.Wallet}' and version = 3");

        Assert.False((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);
        await SettleAsync();
        Assert.False((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);

        Assert.Equal(sealedBefore, await SealsAsync());
        Assert.Contains(await _ledger.WrongAsync(full: false), OfEntries);
    }

    [Fact]
    public async Task Seals_that_are_made_while_much_is_booked_have_neither_too_much_nor_too_little()
    {
        var booking = Task.WhenAll(Enumerable.Range(0, 8).Select(async n =>
        {
            for (var i = 0; i < 40; i++)
            {
                var settled = _ledger.Settlement(DateTimeOffset.UtcNow.AddMinutes(-(i % 40)));
                await _ledger.SettleAsync(settled, _ledger.Settlement(DateTimeOffset.UtcNow.AddHours(-i)));
                await _ledger.Writer.RunAsync(_ledger.Correction(settled, cost: i));
                await _ledger.Writer.RunAsync(_ledger.Credit(Ids.New(), null));
            }
        }));
        for (var n = 0; n < 10; n++)
            await SealAsync();
        await booking;

        await _ledger.VerifyAsync();
        await SealAsync();
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task A_month_that_is_dropped_with_what_was_booked_since_the_seal_is_proved_with_everything()
    {
        var old = await OpenOldMonthAsync();
        await SealAsync();
        var late = _ledger.Settlement(old);
        await _ledger.SettleAsync(late, _ledger.Settlement(DateTimeOffset.UtcNow));
        await _ledger.Writer.RunAsync(_ledger.Correction(late, cost: 3));

        await _ledger.Months(days: 35).DropAsync(DateTimeOffset.UtcNow, Token);

        await _ledger.VerifyAsync();
        Assert.Equal(["True"], await _ledger.RowsAsync("select proved_at is null from sealed"));
        await SealAsync();
        await SettleAsync();
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task A_counter_from_before_a_month_that_was_dropped_is_proved_by_its_seal()
    {
        var old = await OpenOldMonthAsync();
        var counter = Ids.New();
        Assert.IsType<Answer.Granted>(await _ledger.Writer.RunAsync(new Extend(new(Ids.New(), 1, "proxy", [new(counter, 0, 0, 0, 0)
        {
            Counter = new(AccountKind.Limit, Unit.Tokens, null, 100, old, DateTimeOffset.UtcNow.AddDays(9)),
        }])
        { FirstSource = 1, Scope = new(OwnLedger.Organization, OwnLedger.Project, _ledger.Wallet, false) })));
        await _ledger.RunAsync("update account set created_at = $2 where id = $1", counter, old);
        await UseAsync(old, 30);
        await UseAsync(DateTimeOffset.UtcNow, 7);
        await SealAsync();
        await _ledger.Months(days: 35).DropAsync(DateTimeOffset.UtcNow, Token);
        await UseAsync(DateTimeOffset.UtcNow, 4);
        Assert.Equal(["41"], await _ledger.RowsAsync("select posted from account where id = $1", counter));
        await _ledger.VerifyAsync();

        foreach (var wrong in (int[])[-1, 1])
        {
            await _ledger.RunAsync("update account set posted = posted + $2 where id = $1", counter, wrong);
            foreach (var full in (bool[])[false, true])
                Assert.Contains(await _ledger.WrongAsync(full), OfCounters);
            await _ledger.RunAsync("update account set posted = posted - $2 where id = $1", counter, wrong);
        }

        static bool OfCounters(string wrong) => wrong.StartsWith("every counter equals", StringComparison.Ordinal);

        async Task UseAsync(DateTimeOffset at, long count)
        {
            var settle = _ledger.Settlement(at);
            Assert.Equal([new Answer.Done()], await _ledger.SettleAsync(
                settle with { Settlement = settle.Settlement with { Charges = [new(counter, count), .. settle.Settlement.Charges] } }));
        }
    }

    async Task SettleAsync() =>
        Assert.Equal([new Answer.Done()], await _ledger.SettleAsync(_ledger.Settlement(DateTimeOffset.UtcNow)));

    async Task SealAsync()
    {
        var proof = await _ledger.Seals.SealAsync(full: false, Token);
        Assert.True(proof!.IsRight, string.Join("; ", proof.Checks.Where(check => !check.Ok)));
    }

    /// <summary>A month of the usage log that is old enough to be dropped.</summary>
    async Task<DateTimeOffset> OpenOldMonthAsync()
    {
        var old = new DateTimeOffset(DateTime.UtcNow.Year, DateTime.UtcNow.Month, 1, 0, 0, 0, TimeSpan.Zero).AddMonths(-5);
        await _ledger.RunAsync("select open_usage_month($1)", DateOnly.FromDateTime(old.DateTime));
        return old;
    }

    Task<List<string>> SealsAsync() => _ledger.RowsAsync("select account, version, balance from seal order by account");
}
