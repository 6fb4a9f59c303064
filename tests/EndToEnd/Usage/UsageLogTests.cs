using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>The months of the usage log, on a real server: what is in them, what is dropped, and what comes too late for them.</summary>
public sealed class UsageLogTests : OnOwnLedger
{
    const string Final = "are never changed or deleted";

    /// <summary>The first moment of this month.</summary>
    static readonly DateTimeOffset This = new(DateTime.UtcNow.Year, DateTime.UtcNow.Month, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>A month that a test opens by itself: longer ago than a month may be kept.</summary>
    static readonly DateTimeOffset Old = This.AddMonths(-5);

    [Fact]
    public async Task Rows_of_the_version_before_are_moved_with_all_that_they_say()
    {
        var database = OwnLedger.NewDatabase();
        await OwnLedger.MigrateAsync(database, count: 4);
        await using (var before = Npgsql.NpgsqlDataSource.Create(database))
            foreach (var sql in OldRows())
            {
                await using var insert = before.Sql(sql);
                await insert.ExecuteNonQueryAsync(Token);
            }

        await using var ledger = await OwnLedger.StartAsync(database);

        Assert.Equal(
            [
                $"{OldId(0)} /a {{1,2,3}} 7 5 2 True null {Old:yyyy_MM}", $"{OldId(1)} /b {{1,2,3}} 7 5 2 True why {Old:yyyy_MM}",
                $"{OldId(2)} /c {{1,2,3}} 7 5 2 True null {This:yyyy_MM}",
            ],
            await ledger.RowsAsync("""
                select request_id, endpoint, meters::text, cost, charged, absorbed, estimated, reason,
                    replace(tableoid::regclass::text, 'usage_record_', '') from usage_record order by request_id
                """));
        Assert.Equal(
            [$"{OldId(0)} {{\"a\":1}}", $"{OldId(2)} {{\"c\":1}}"],
            await ledger.RowsAsync("select request_id, raw_usage from usage_raw order by request_id"));
        Assert.Equal(["for jane"], await ledger.RowsAsync("select text from note join transfer on id = transfer where type = 5"));
        Assert.Equal(
            [new Answer.Stale(), new Answer.Done(Repeated: true)],
            await ledger.SettleAsync(ledger.Settlement(This.AddMonths(-30)), Repeating(ledger.Settlement(This), OldId(2))));
    }

    /// <summary>A limit counts the tokens of a request where that runs, and those from before the limit was there in the log.</summary>
    [Fact]
    public async Task Tokens_are_the_same_meters_for_a_proxy_and_in_the_log()
    {
        Usage[] alone = [.. Enum.GetValues<Meter>().Select(meter => new Usage { [meter] = 1 })];

        var counted = await _ledger.RowsAsync(
            "select input_tokens(meters), output_tokens(meters) from (values "
            + string.Join(", ", alone.Select((usage, i) => $"({i}, array[{string.Join(", ", usage.Units)}]::bigint[])"))
            + ") as alone (number, meters) order by number");

        Assert.Equal(alone.Select(usage => $"{usage.InputTokens} {usage.OutputTokens}"), counted);
        Assert.All(alone.Index(), one => Assert.Equal(
            one.Item.InputTokens + one.Item.OutputTokens == 1, Usage.IsToken((Meter)one.Index)));
    }

    static Guid OldId(int n) =>
        Guid.ParseExact($"{Ids.FirstAt(n < 2 ? Old.AddDays(3) : This):N}"[..12] + $"7{n:000}8{n:000}{n:000000000000}", "N");

    static IEnumerable<string> OldRows() =>
        from n in Enumerable.Range(0, 3)
        let raw = n == 1 ? "null" : $$"""'{"{{"abc"[n]}}":1}'"""
        select $"""
            insert into usage_record select '{OldId(n)}', gen_random_uuid(), gen_random_uuid(), null, gen_random_uuid(), null, false,
                '/{"abc"[n]}', 'm', 'p', 'm', null, false, now(), 1, null, 200, 0, array[1, 2, 3], 7, 5, 2, true,
                {(n == 1 ? "'why'" : "null")}, {raw}, now();
            insert into transfer values (gen_random_uuid(), 5, {(n == 1 ? "'for jane'" : "null")}, now())
            """;

    static Settle Repeating(Settle settle, Guid request) => settle with { Settlement = settle.Settlement with { RequestId = request } };

    [Fact]
    public async Task What_is_booked_cannot_be_changed_in_any_month()
    {
        await OpenAsync(Old);
        var months = await _ledger.RowsAsync(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'usage_record'::regclass");
        Assert.Equal(6, months.Count);

        foreach (var table in (string[])["usage_record", .. months])
            foreach (var attempt in (string[])[$"update {table} set created_at = now()", $"delete from {table}", $"truncate {table}"])
                Assert.Contains(Final, (await Assert.ThrowsAsync<Npgsql.PostgresException>(() => _ledger.RunAsync(attempt))).MessageText);
    }

    [Fact]
    public async Task Two_requests_on_both_sides_of_a_months_end_are_booked_once_each_in_their_own_month()
    {
        Settle[] both = [_ledger.Settlement(This.AddMilliseconds(-1)), _ledger.Settlement(This)];

        Assert.Equal([new Answer.Done(), new Answer.Done()], await _ledger.SettleAsync(both));
        Assert.Equal([new Answer.Done(true), new Answer.Done(true), new Answer.Done()], await _ledger.SettleAsync(
            both[1], both[0], _ledger.Settlement(This.AddDays(1))));

        Assert.Equal(
            [$"usage_record_{This.AddMonths(-1):yyyy_MM} 1", $"usage_record_{This:yyyy_MM} 2"],
            await _ledger.RowsAsync("select tableoid::regclass::text, count(*) from usage_record group by 1 order by 1::text"));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task To_recognise_a_batch_the_ledger_reads_no_month_but_its_own()
    {
        await using var connection = await _ledger.Database.OpenConnectionAsync(Token);
        var (first, last) = (Ids.New(This.AddHours(1)), Ids.New(This.AddHours(2)));
        foreach (var sql in (string[])[
            "set plan_cache_mode = force_generic_plan", "set enable_seqscan = off",
            $"prepare known (uuid[], uuid, uuid) as {BookStore.KnownRequests}"])
        {
            await using var prepare = connection.Sql(sql);
            await prepare.ExecuteNonQueryAsync(Token);
        }

        await using var explain = connection.Sql($"explain execute known (array['{first}', '{last}']::uuid[], '{first}', '{last}')");
        var plan = new List<string>();
        await using (var line = await explain.ExecuteReaderAsync(Token))
            while (await line.ReadAsync(Token))
                plan.Add(line.GetString(0));

        Assert.Contains("Subplans Removed: 4", string.Join('\n', plan));
        var read = Assert.Single(plan, line => line.Contains("usage_record_", StringComparison.Ordinal));
        Assert.Contains(Partition("usage_record", This), read);
    }

    [Fact]
    public async Task Months_are_open_from_the_one_before_to_three_ahead_however_many_open_them_at_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => UsageMonths.OpenAsync(_ledger.Database, Token)));

        Assert.Equal(MonthsFrom(-1, 5), await MonthsAsync());
    }

    [Fact]
    public async Task After_a_long_rest_the_months_that_were_missed_are_opened_too()
    {
        await _ledger.RunAsync($"""
            drop table {string.Join(", ", from n in Enumerable.Range(-1, 5) from log in (string[])["usage_record", "usage_raw"]
                select Partition(log, This.AddMonths(n)))}
            """);
        await _ledger.RunAsync("delete from usage_month");
        await OpenAsync(Old);

        await UsageMonths.OpenAsync(_ledger.Database, Token);

        Assert.Equal(MonthsFrom(-5, 9), await MonthsAsync());
        Assert.Equal([new Answer.Done()], await _ledger.SettleAsync(_ledger.Settlement(This.AddMonths(-3))));
    }

    static IEnumerable<string> MonthsFrom(int first, int count) =>
        Enumerable.Range(first, count).Select(n => This.AddMonths(n).ToString("yyyy-MM-01", CultureInfo.InvariantCulture));

    Task<List<string>> MonthsAsync() => _ledger.RowsAsync("select month::text from usage_month order by month");

    [Theory]
    [InlineData(-8, "too old")]
    [InlineData(+8, "too new")]
    public async Task A_settlement_of_a_month_that_is_not_open_is_put_aside_whole_and_moves_nothing(int months, string reason)
    {
        var stale = _ledger.Settlement(This.AddMonths(months));

        Assert.Equal([new Answer.Stale(), new Answer.Done()], await _ledger.SettleAsync(stale, _ledger.Settlement(This)));
        Assert.Equal([new Answer.Stale()], await _ledger.SettleAsync(stale));

        var id = stale.Settlement.RequestId;
        Assert.Equal(
            [$"{id} {Convert.ToHexStringLower(stale.Record.Span)} {reason}"],
            await _ledger.RowsAsync("select request_id, encode(record, 'hex'), reason from stale_settlement"));
        Assert.Equal([$"{Money.NanosPerUsd - 5}"], await BalanceAsync());
        Assert.Equal(["1"], await _ledger.RowsAsync("select count(*) from usage_record"));
        var shown = await _ledger.GetAsync("/internal/stale-settlements");
        Assert.Equal((1, Ids.Show(Ids.Request, id)), ((int)shown["count"]!, (string)shown["settlements"]![0]!["request"]!));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task A_dropped_month_leaves_balances_statements_lifetime_sums_and_the_proof_of_the_books_as_they_were()
    {
        await OpenAsync(Old);
        var old = _ledger.Settlement(Old, cost: 7);
        await _ledger.SettleAsync(old, _ledger.Settlement(Old.AddDays(9), cost: 2 * Money.NanosPerUsd), _ledger.Settlement(This));
        await _ledger.VerifyAsync();
        var (before, summary, lines) = (await BalanceAsync(), await SummaryAsync(), await StatementAsync());

        await _ledger.Months(days: 35).DropAsync(DateTimeOffset.UtcNow, Token);

        Assert.Equal(["null"], await ExistsAsync("usage_record"));
        Assert.Equal(["1"], await _ledger.RowsAsync("select count(*) from usage_record"));
        Assert.Equal(
            [$"True 2 {Money.NanosPerUsd} {Money.NanosPerUsd + 7}"],
            await _ledger.RowsAsync("select closed, requests, charged, absorbed from usage_month where requests is not null"));
        await _ledger.VerifyAsync();
        Assert.Equal((before, summary), (await BalanceAsync(), await SummaryAsync()), Same);
        Assert.Equal(
            lines.ConvertAll(line => line with { Description = line.Description == "small" ? null : line.Description }),
            await StatementAsync());
        Assert.Equal([new Answer.Stale()], await _ledger.SettleAsync(old));
        Assert.Equal(before, await BalanceAsync());
        await _ledger.VerifyAsync();
    }

    static bool Same((List<string>, string) a, (List<string>, string) b) => a.Item1.SequenceEqual(b.Item1) && a.Item2 == b.Item2;

    async Task<string> SummaryAsync()
    {
        var query = new WalletSummariesQuery([_ledger.Wallet], WithLedger: false);
        return (await _ledger.GetAsync("/internal/wallets/summaries", query)).ToJsonString();
    }

    async Task<List<LedgerLine>> StatementAsync() =>
        (await Statement.ReadAsync(_ledger.Database, _ledger.Wallet, 50, null, null, null, Token)).Lines;

    Task<List<string>> BalanceAsync() => _ledger.RowsAsync("select posted from account where id = $1", _ledger.Wallet);

    const string
        Closed = "update usage_month set closed = true where month = '{0:yyyy-MM-dd}'",
        SummedUp = "update usage_month set requests = 1, charged = 5, absorbed = 0, covered = 0 where month = '{0:yyyy-MM-dd}'",
        Detached = "alter table usage_record detach partition usage_record_{0:yyyy_MM}";

    [Theory]
    [InlineData(false, Closed)]
    [InlineData(true, Closed)]
    [InlineData(true, $"{Closed};{SummedUp}")]
    [InlineData(true, $"{Closed};{SummedUp};{Detached}")]
    public async Task A_month_that_was_half_dropped_is_dropped_by_the_next_round(bool isInTheSums, string done)
    {
        await OpenAsync(Old);
        await _ledger.SettleAsync(_ledger.Settlement(Old), _ledger.Settlement(This));
        if (isInTheSums)
            await _ledger.Rollups.SumUpAsync(Token);
        await _ledger.RunAsync(string.Format(CultureInfo.InvariantCulture, done, Old.DateTime));
        await _ledger.VerifyAsync();

        await _ledger.Months(days: 35).DropAsync(DateTimeOffset.UtcNow, Token);

        Assert.Equal(["null"], await ExistsAsync("usage_record"));
        Assert.Equal(["1 5 0"], await _ledger.RowsAsync("select requests, charged, absorbed from usage_month where closed"));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task A_month_is_dropped_behind_the_back_of_those_who_read_the_log_and_keeps_nobody_from_writing()
    {
        await OpenAsync(Old);
        await _ledger.SettleAsync(_ledger.Settlement(Old));
        await using var reader = await _ledger.Database.OpenConnectionAsync(Token);
        await using var reading = await reader.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, Token);
        Assert.Equal(1L, await CountAsync());

        using var cut = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var first = _ledger.Months(days: 35).DropAsync(DateTimeOffset.UtcNow, cut.Token);
        await Eventually.HoldsAsync(
            async () => (await _ledger.RowsAsync("select 1 from pg_inherits where inhdetachpending")).Count == 1,
            "the wait for the reader");
        Assert.Equal([new Answer.Done()], await _ledger.SettleAsync(_ledger.Settlement(This)));
        Assert.Equal(1L, await CountAsync()); // of its own time, the dropped month included
        await cut.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        var second = _ledger.Months(days: 35).DropAsync(DateTimeOffset.UtcNow, Token);
        await reading.CommitAsync(Token);
        await second;

        Assert.Equal(["null"], await ExistsAsync("usage_record"));
        await _ledger.VerifyAsync();

        async Task<object?> CountAsync()
        {
            await using var count = reader.Sql("select count(*) from usage_record");
            return await count.ExecuteScalarAsync(Token);
        }
    }

    [Fact]
    public async Task What_is_kept_for_ever_and_what_is_not_old_enough_is_not_dropped()
    {
        await OpenAsync(Old);

        await _ledger.Months(days: null, raw: 3_000).DropAsync(DateTimeOffset.UtcNow, Token);
        await _ledger.Months(days: 35, raw: 35).DropAsync(Old.AddMonths(1).AddDays(35).AddSeconds(-1), Token);

        Assert.Equal([Partition("usage_record", Old)], await ExistsAsync("usage_record"));
        Assert.Equal([Partition("usage_raw", Old)], await ExistsAsync("usage_raw"));
    }

    [Fact]
    public async Task What_a_provider_said_is_dropped_sooner_and_a_later_settlement_is_booked_without_it()
    {
        await OpenAsync(Old);
        await _ledger.SettleAsync(_ledger.Settlement(Old, raw: "{}"), _ledger.Settlement(This, raw: "{}"));

        await _ledger.Months(days: null).DropAsync(DateTimeOffset.UtcNow, Token);

        Assert.Equal(
            [new Answer.Done(), new Answer.Done()],
            await _ledger.SettleAsync(_ledger.Settlement(Old, raw: "{}"), _ledger.Settlement(This, raw: "{}")));
        Assert.Equal(["null"], await ExistsAsync("usage_raw"));
        Assert.Equal(["4 2"], await _ledger.RowsAsync("select (select count(*) from usage_record), (select count(*) from usage_raw)"));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task A_period_of_a_closed_month_is_not_priced_anew()
    {
        await OpenAsync(Old);
        await _ledger.Months(days: 35).DropAsync(DateTimeOffset.UtcNow, Token);

        var refused = await _ledger.GetAsync("/internal/reratings", new Reratings.Request(
            Ids.New(), Ids.New(), false, "small", Old.AddDays(3), This, Ids.New(), new Prices()));

        Assert.Equal("from", (string?)refused["error"]!["param"]);
    }

    [Fact]
    public async Task An_erased_note_leaves_its_movement_in_the_statement_and_still_once_only()
    {
        var (erased, kept) = (Ids.New(), Ids.New());
        await _ledger.Writer.RunAsync([_ledger.Credit(erased, "for jane"), _ledger.Credit(kept, "for joe")]);

        await _ledger.RunAsync("update note set text = null where transfer = $1", erased);

        Assert.Equal(["for joe", null, "initial amount"], (await StatementAsync()).Select(line => line.Description));
        Assert.Equal(
            [new Answer.Done(true), new Answer.Differs(), new Answer.Done(true), new Answer.Differs()],
            await _ledger.Writer.RunAsync([
                _ledger.Credit(erased, "for jane"), _ledger.Credit(erased, "for jane", 71), _ledger.Credit(kept, "for joe"),
                _ledger.Credit(kept, "for jane")]));
        Assert.Equal([$"{Money.NanosPerUsd + 140}"], await BalanceAsync());
        await _ledger.VerifyAsync();
    }

    Task OpenAsync(DateTimeOffset month) => _ledger.RunAsync("select open_usage_month($1)", DateOnly.FromDateTime(month.DateTime));

    static string Partition(string table, DateTimeOffset month) => $"{table}_{month:yyyy_MM}";

    /// <summary>The old month's partition, or null.</summary>
    Task<List<string>> ExistsAsync(string table) => _ledger.RowsAsync("select to_regclass($1)::text", Partition(table, Old));
}
