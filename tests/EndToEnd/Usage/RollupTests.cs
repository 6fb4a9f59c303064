using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>The sums of the usage log on a real server, by what docs/money.md says of them.</summary>
public sealed class RollupTests : OnOwnLedger
{
    static readonly TimeSpan Quarter = TimeSpan.FromMinutes(15), Day = TimeSpan.FromDays(1);

    /// <summary>The first moment of this month.</summary>
    static readonly DateTimeOffset This = new(DateTime.UtcNow.Year, DateTime.UtcNow.Month, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_request_counts_in_the_quarter_and_day_in_which_it_began_once_in_every_dimension()
    {
        var family = Ids.New();
        var began = DateTimeOffset.UtcNow.AddHours(-20);
        await _ledger.SettleAsync(Like(_ledger.Settlement(began, cost: 10), usage => usage with
        {
            Model = "m", Provider = "p", Endpoint = "/v1/x", Family = family,
            Meters = new Usage
            {
                [Meter.Input] = 1, [Meter.CachedInput] = 2, [Meter.Output] = 3, [Meter.Reasoning] = 4, [Meter.Image] = 9,
            }.ToArray(),
        }));
        await _ledger.Rollups.SumUpAsync(Token);

        var sums = "1 0 1 3 7 10 10 0 0 0";
        string[] values = ["", "m", "p", "/v1/x", $"cus_{_ledger.Wallet:N}", $"ses_{family:N}"];
        Assert.Equal(
            [
                .. values.Select((value, dimension) => $"0 {dimension} {value} {Floor(began, Quarter).Ticks} {sums}"),
                .. values.Select((value, dimension) => $"1 {dimension} {value} {Floor(began, Day).Ticks} {sums}"),
            ],
            await StoredAsync());
        await _ledger.VerifyAsync();
    }

    [Theory]
    [InlineData(-23.9, true)]
    [InlineData(-24.1, false)]
    [InlineData(0.4, false)]
    public async Task A_request_that_comes_a_day_late_or_from_the_future_counts_when_it_is_booked(double hours, bool countsWhereItBegan)
    {
        var began = DateTimeOffset.UtcNow.AddHours(hours);
        var settle = _ledger.Settlement(began);

        await _ledger.SettleAsync(settle);

        var at = Floor(countsWhereItBegan ? began : await BookedAtAsync("usage_record"), Quarter);
        var sums = new RollupSums(1, 0, 1, 1, 0, 5, 5, 0, 0, hours < -24 ? 1 : 0);
        Assert.Equal([(at, sums)], await QuartersAsync());
        await _ledger.Rollups.SumUpAsync(Token);
        Assert.Equal([(at, sums)], await QuartersAsync());
    }

    [Theory]
    [InlineData(-23.9, true)]
    [InlineData(-24.1, false)]
    public async Task A_correction_counts_in_the_time_of_its_request_and_a_day_later_in_its_own(double hours, bool countsWithIt)
    {
        var began = DateTimeOffset.UtcNow.AddHours(hours);
        var settle = _ledger.Settlement(began, cost: 10);
        await _ledger.SettleAsync(settle);
        await _ledger.Rollups.SumUpAsync(Token);
        var before = await QuartersAsync();

        await _ledger.Writer.RunAsync(_ledger.Correction(settle, cost: 7));

        var at = Floor(countsWithIt ? began : await BookedAtAsync("correction"), Quarter);
        Assert.Equal(Sum([.. before, (at, new RollupSums(0, 0, 0, 0, 0, -3, -3, 0, 0, 0))]), await QuartersAsync());
        await _ledger.Rollups.SumUpAsync(Token);
        Assert.Equal(Sum([.. before, (at, new RollupSums(0, 0, 0, 0, 0, -3, -3, 0, 0, 0))]), await QuartersAsync());
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task An_attempt_that_another_provider_went_on_from_is_no_request_of_its_own()
    {
        var began = DateTimeOffset.UtcNow;
        Settle Failed(Guid? attemptOf) => Like(_ledger.Settlement(began, cost: 0),
            usage => usage with { Outcome = RequestOutcome.Failed, AttemptOf = attemptOf });

        await _ledger.SettleAsync(Failed(Ids.New()), Failed(null));

        var (_, sums) = Assert.Single(await QuartersAsync());
        Assert.Equal((1L, 1L, 2L), (sums.Requests, sums.Failed, sums.Attempts));
    }

    [Fact]
    public async Task Requests_that_have_no_customer_are_one_group()
    {
        var began = DateTimeOffset.UtcNow;
        await _ledger.SettleAsync(
            Like(_ledger.Settlement(began), usage => usage with { Customer = null }),
            Like(_ledger.Settlement(began), usage => usage with { Customer = null }));

        var (value, sums) = Assert.Single(await ByValueAsync(RollupDimension.Customer));

        Assert.Equal(("", 2L), (value, sums.Requests));
    }

    [Fact]
    public async Task Of_many_models_the_most_expensive_are_told_and_what_all_come_to()
    {
        Assert.Equal((0, default), await CountAsync(limit: 2));
        foreach (var (cost, model) in new[] { (3, "c"), (9, "a"), (5, "b"), (3, "d") })
            await _ledger.SettleAsync(Like(_ledger.Settlement(DateTimeOffset.UtcNow, cost), usage => usage with { Model = model }));

        var (rows, total) = await ByValueAsync(RollupDimension.Model, limit: 3);

        Assert.Equal(["a", "b", "c"], rows.Select(row => row.Value));
        Assert.Equal([9, 5, 3], rows.Select(row => row.Sums.Cost));
        Assert.Equal((4, 20), (total.Requests, total.Cost));

        async Task<(int, RollupSums)> CountAsync(int limit)
        {
            var (rows, total) = await ByValueAsync(RollupDimension.Model, limit);
            return (rows.Count, total);
        }
    }

    /// <summary>Late ones, corrections, sums and seals in any order. Each answer is compared with what was booked until then.</summary>
    [Fact]
    public async Task What_is_told_is_right_at_every_moment_whether_it_is_summed_up_or_not()
    {
        var random = new Random(1);
        var booked = new List<(Settle Settle, string Model, Guid? Customer, long Cost)>();
        for (var round = 0; round < 12; round++)
        {
            var settled = Enumerable.Range(0, random.Next(1, 9)).Select(_ =>
            {
                var (model, customer, cost) = ($"m{random.Next(3)}", random.Next(3) == 0 ? (Guid?)null : Ids.New(), random.Next(9));
                var began = DateTimeOffset.UtcNow.AddHours(-random.NextDouble() * 40);
                var settle = Like(_ledger.Settlement(began, cost), usage => usage with { Model = model, Customer = customer });
                return (Settle: settle, Model: model, Customer: customer, Cost: (long)cost);
            }).ToList();
            await _ledger.SettleAsync([.. settled.Select(it => it.Settle)]);
            booked.AddRange(settled);
            if (random.Next(2) == 0)
            {
                var i = random.Next(booked.Count);
                var cost = booked[i].Cost + 1 + random.Next(5);
                await _ledger.Writer.RunAsync(_ledger.Correction(booked[i].Settle, cost));
                booked[i] = booked[i] with { Cost = cost };
            }
            if (random.Next(3) == 0)
                await _ledger.Rollups.SumUpAsync(Token);
            if (random.Next(5) == 0)
                Assert.True((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);

            Assert.Equal(
                (booked.Count, booked.Sum(it => it.Cost)), Of((await QuartersAsync()).Select(row => ("", row.Sums)))[""]);
            Assert.Equal(
                booked.GroupBy(it => it.Model).ToDictionary(group => group.Key, group => (group.Count(), group.Sum(it => it.Cost))),
                Of(await ByValueAsync(RollupDimension.Model)));
            Assert.Equal(
                booked.GroupBy(it => it.Customer is { } id ? Ids.Show(Ids.Customer, id) : "")
                    .ToDictionary(group => group.Key, group => (group.Count(), group.Sum(it => it.Cost))),
                Of(await ByValueAsync(RollupDimension.Customer)));
            await _ledger.VerifyAsync();
        }

        static Dictionary<string, (int Requests, long Cost)> Of(IEnumerable<(string Value, RollupSums Sums)> rows) => rows
            .GroupBy(row => row.Value, row => row.Sums)
            .ToDictionary(group => group.Key, group => ((int)group.Sum(sums => sums.Requests), group.Sum(sums => sums.Cost)));
    }

    [Fact]
    public async Task Sums_of_a_month_that_somebody_has_changed_are_found_out_before_it_is_dropped()
    {
        await _ledger.SettleAsync(_ledger.Settlement(DateTimeOffset.UtcNow));
        await _ledger.Rollups.SumUpAsync(Token);

        await _ledger.RunAsync("update usage_month_sum set cost = cost + 1");

        Assert.Contains(
            await _ledger.WrongAsync(full: true), wrong => wrong.StartsWith("the sums of each month", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_booked_when_the_clock_was_set_back_is_in_the_sums()
    {
        await _ledger.Rollups.SumUpAsync(Token);
        await _ledger.RunAsync("update summed set booked_until = booked_until + '1 hour', until = booked_until + '1 hour'");

        await _ledger.SettleAsync(_ledger.Settlement(DateTimeOffset.UtcNow));

        Assert.Equal(1, Assert.Single(await QuartersAsync()).Sums.Requests);
        await _ledger.RunAsync("update summed set booked_until = booked_until + '1 second'");
        await _ledger.Rollups.SumUpAsync(Token);
        Assert.Equal(1, Assert.Single(await QuartersAsync()).Sums.Requests);
        Assert.Equal([], await _ledger.WrongAsync(full: true));
    }

    /// <summary>A lot, and an hour of a limit, that end before the time that was booked last.</summary>
    [Fact]
    public async Task What_is_over_is_decided_by_the_clock_also_when_bookings_have_a_later_date()
    {
        await _ledger.RunAsync("update summed set booked_until = now() + interval '1 hour'");
        var (now, counter, lease) = (DateTimeOffset.UtcNow, Ids.New(), Ids.New());

        Assert.Equal(new Answer.Done(), await _ledger.Writer.RunAsync(
            new Post(Ids.New(), PostType.Promotion, _ledger.Scope, [70]) { ExpiresAt = now.AddMinutes(30) }));
        await _ledger.SettleAsync(_ledger.Settlement(now));
        var granted = await _ledger.Writer.RunAsync(new Extend(new(lease, 1, "proxy", [new(counter, 1, 1, 1, 1)
        {
            Counter = new(AccountKind.Limit, Unit.Tokens, null, 10, now.AddMinutes(-30), now.AddMinutes(30)),
        }])
        { FirstSource = 1, Scope = new(OwnLedger.Organization, OwnLedger.Project, _ledger.Wallet, false) }));

        Assert.InRange(Assert.IsType<Answer.Granted>(granted).Now, now.AddMinutes(-5), now.AddMinutes(5));
        Assert.Equal(["65"], await _ledger.RowsAsync("select remaining from lot where expires_at is not null"));
        Assert.Equal(["True"], await _ledger.RowsAsync("""
            select distinct created_at = booked_until from summed, (
                select created_at from entry where account = $1 and version > 1 union all select created_at from usage_record) as booked
            """, _ledger.Wallet));
        await _ledger.Writer.RunAsync(new GiveBack(new(lease, 1, [new(counter, 1)])));
        await _ledger.VerifyAsync();
    }

    /// <summary>Frozen, or cut off from the database, with a batch that has begun.</summary>
    [Fact]
    public async Task An_instance_that_stands_still_in_a_batch_keeps_no_other_from_booking()
    {
        await using var connection = await _ledger.Database.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await BookStore.LockAsync(connection, transaction, [new Freeze(Ids.New(), true)], new ExistingAccounts(), Token);

        var summing = _ledger.Rollups.SumUpAsync(Token);
        await Eventually.HoldsAsync(
            async () => summing.IsCompleted || await _ledger.RowsAsync("""
                select exists (select from pg_locks where not granted and ((classid::bigint << 32) | objid::bigint) = $1)
                """, ClockLock.Key) is ["True"],
            "the wait for the batch");
        var credited = await _ledger.Writer.RunAsync(_ledger.Credit(Ids.New(), null)).WaitAsync(TimeSpan.FromSeconds(20), Token);

        Assert.Equal(new Answer.Done(), credited);
        Assert.True(Problems.IsOutage(await Assert.ThrowsAnyAsync<Exception>(() => summing)));
        await using var bound = connection.Sql("show idle_in_transaction_session_timeout");
        Assert.Equal("30s", await bound.ExecuteScalarAsync(Token));
    }

    [Fact]
    public async Task Requests_around_a_months_end_that_are_booked_late_corrected_and_dropped_stay_in_the_sums()
    {
        var old = This.AddMonths(-5);
        await _ledger.RunAsync("select open_usage_month($1)", DateOnly.FromDateTime(old.DateTime));
        Settle[] before = [.. Enumerable.Range(0, 20).Select(n => _ledger.Settlement(old.AddSeconds(n), cost: 10))];
        await _ledger.SettleAsync(before[..15]);
        await _ledger.Seals.SealAsync(full: false, Token);
        await _ledger.SettleAsync(before);
        await _ledger.Writer.RunAsync([_ledger.Correction(before[0], 4), _ledger.Correction(before[19], 12)]);
        await _ledger.VerifyAsync();

        await _ledger.Months(days: 35).DropAsync(DateTimeOffset.UtcNow, Token);

        Assert.Equal((20L, 196L, 20L), await TotalAsync());
        Assert.Equal(new Answer.Refused(before[1].Settlement.RequestId, RefusalReason.Unknown, 0),
            await _ledger.Writer.RunAsync(_ledger.Correction(before[1], 4)));
        await _ledger.VerifyAsync();
    }

    async Task<(long, long, long)> TotalAsync()
    {
        var total = (await QuartersAsync()).Aggregate(default(RollupSums), (sum, row) => sum + row.Sums);
        return (total.Requests, total.Cost, total.Late);
    }

    /// <summary>
    /// Half of them began around the month's end, and are too late for their time on any day but the first; the others began in the last
    /// two minutes. Some are booked after a seal, and none in order.
    /// </summary>
    [Fact]
    public async Task Five_hundred_requests_across_a_months_end_are_in_the_sums_to_the_nano()
    {
        var random = new Random(16);
        var now = DateTimeOffset.UtcNow;
        DateTimeOffset[] began =
        [
            .. Enumerable.Range(0, 250).Select(_ => This.AddMilliseconds(random.Next(-120_000, 120_000))),
            .. Enumerable.Range(0, 250).Select(_ => now.AddMilliseconds(random.Next(-120_000, 0))),
        ];
        var settled = began.Select(at => _ledger.Settlement(at, cost: random.Next(1, 1_000))).ToArray();
        var cost = settled.Sum(settle => settle.Settlement.Usage.Cost.Nanos);
        random.Shuffle(settled);
        foreach (var (i, batch) in settled.Chunk(50).Index())
        {
            await Task.WhenAll(batch.Chunk(10).Select(_ledger.SettleAsync));
            if (i % 3 == 1)
                Assert.True((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);
        }

        await _ledger.Rollups.SumUpAsync(Token);
        foreach (var grain in (int[])[0, 1])
            Assert.Equal([$"500 {cost} {cost}"], await _ledger.RowsAsync(
                $"select sum(requests), sum(cost), sum(charged) from rollup where grain = {grain} and dimension = 0"));
        Assert.Equal([$"500 {cost}"], await _ledger.RowsAsync("select count(*), sum(charged) from usage_record"));
        Assert.Equal([$"{cost}"], await _ledger.RowsAsync("select posted from account where kind = 101"));
        Assert.Equal(["2"], await _ledger.RowsAsync("select count(distinct tableoid) from usage_record"));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task Rows_of_the_version_before_are_summed_up_as_if_they_came_now()
    {
        Settle[] settled = [.. Enumerable.Range(0, 30).Select(n => _ledger.Settlement(DateTimeOffset.UtcNow.AddMinutes(-7 * n), n))];
        await _ledger.SettleAsync(settled);
        await _ledger.Writer.RunAsync([.. settled[5..].Select(settle => _ledger.Correction(settle, 7))]);
        await _ledger.Rollups.SumUpAsync(Token);
        var rows = await StoredAsync();
        using var script = new StreamReader(typeof(WalletDb).Assembly.GetManifestResourceStream("0009_rollups.sql")!);
        var text = await script.ReadToEndAsync(Token);

        // Corrections of that time did not say of which project they are.
        await _ledger.RunAsync("alter table correction drop column project");
        await _ledger.RunAsync($"delete from rollup; {text[text.IndexOf("insert into rollup\n", StringComparison.Ordinal)..]}");

        Assert.Equal(rows, await StoredAsync());
        await _ledger.VerifyAsync();
    }

    Task<List<(DateTimeOffset At, RollupSums Sums)>> QuartersAsync() => UsageSummary.QuartersAsync(
        _ledger.Database, OwnLedger.Project, test: false, Floor(DateTimeOffset.UtcNow.AddYears(-1), Quarter), Tomorrow, Token);

    async Task<List<(string Value, RollupSums Sums)>> ByValueAsync(RollupDimension dimension) =>
        (await ByValueAsync(dimension, limit: 1000)).Rows;

    Task<(List<(string Value, RollupSums Sums)> Rows, RollupSums Total)> ByValueAsync(RollupDimension dimension, int limit) =>
        UsageSummary.ByValueAsync(
            _ledger.Database, OwnLedger.Project, test: false, dimension, Floor(DateTimeOffset.UtcNow.AddDays(-9), Quarter), Tomorrow,
            DateTimeOffset.UtcNow, limit, Token);

    static DateTimeOffset Tomorrow => Floor(DateTimeOffset.UtcNow, Day) + Day;

    async Task<List<string>> StoredAsync() => await _ledger.RowsAsync($"""
        select grain, dimension, value, extract(epoch from at)::bigint * 10000000 + {DateTimeOffset.UnixEpoch.Ticks}, {Sums}
        from rollup order by grain, dimension, at, value
        """);

    const string Sums = "requests, failed, attempts, input, output, cost, charged, absorbed, covered, late";

    async Task<DateTimeOffset> BookedAtAsync(string table)
    {
        await using var query = _ledger.Database.Sql($"select created_at from {table}");
        return (DateTime)(await query.ExecuteScalarAsync(Token))!;
    }

    static List<(DateTimeOffset At, RollupSums Sums)> Sum(IEnumerable<(DateTimeOffset At, RollupSums Sums)> rows) =>
    [
        .. rows.GroupBy(row => row.At, row => row.Sums).OrderBy(group => group.Key)
            .Select(group => (group.Key, group.Aggregate((a, b) => a + b))),
    ];

    static DateTimeOffset Floor(DateTimeOffset moment, TimeSpan grain) =>
        new(moment.UtcTicks - (moment.UtcTicks % grain.Ticks), TimeSpan.Zero);

    static Settle Like(Settle settle, Func<UsageRecord, UsageRecord> change) =>
        new(settle.Settlement with { Usage = change(settle.Settlement.Usage) });
}
