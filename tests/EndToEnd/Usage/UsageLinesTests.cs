using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>The lines of the usage log, page by page: what they say is what sums say, whoever books meanwhile.</summary>
public sealed class UsageLinesTests : OnOwnLedger
{
    static readonly DateTimeOffset Always = DateTimeOffset.MaxValue;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Of_every_time_and_filter_the_lines_come_to_what_the_sums_say(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 3; round++)
        {
            await BookAsync(random);
            if (random.Next(2) == 0)
                await _ledger.Rollups.SumUpAsync(Token);
        }
        for (var i = 0; i < 15; i++)
        {
            var now = DateTimeOffset.UtcNow;
            var begin = now.AddMinutes(-random.Next(5, 60 * 48));
            var (from, to) = UsageSummary.TimeOf(
                new(new QueryCollection(new Dictionary<string, StringValues>
                {
                    ["from"] = Text(begin), ["to"] = Text(begin.AddMinutes(random.Next(1, 60 * 50))),
                })), "UTC", now);
            var filter = new UsageFilter(OwnLedger.Project, false, from, to);

            var lines = await PagesAsync(filter, random);
            var quarters = await UsageSummary.QuartersAsync(_ledger.Database, OwnLedger.Project, test: false, from, to, Token);
            Assert.Equal(Sum(quarters.Select(quarter => quarter.Sums)), Sum(lines.Select(line => line.Sums)));
            Assert.Equal(lines.Count, lines.Select(line => line.Id).Distinct().Count());
            Assert.Equal(lines.OrderByDescending(line => line.BookedAt).Select(line => line.BookedAt), lines.Select(line => line.BookedAt));

            await MustBeAsync(RollupDimension.Model, value => filter with { Model = value });
            await MustBeAsync(RollupDimension.Provider, value => filter with { Provider = value });
            await MustBeAsync(RollupDimension.Endpoint, value => filter with { Endpoint = value });
            await MustBeAsync(RollupDimension.Customer, value => filter with { Customer = IdIn(Ids.Customer, value) });
            await MustBeAsync(RollupDimension.Key, value => value.StartsWith(Ids.Session, StringComparison.Ordinal)
                ? filter with { Session = IdIn(Ids.Session, value) }
                : filter with { Key = IdIn(Ids.Key, value) });

            async Task MustBeAsync(RollupDimension dimension, Func<string, UsageFilter> of)
            {
                var (rows, _) = await UsageSummary.ByValueAsync(
                    _ledger.Database, OwnLedger.Project, test: false, dimension, from, to, now, limit: 100, Token);
                foreach (var (value, sums) in rows.Where(row => row.Value.Length > 0))
                    Assert.Equal(
                        (value, WithoutLate(sums)), (value, Sum((await PagesAsync(of(value), random)).Select(line => line.Sums))));
            }
        }
        Assert.Empty(await PagesAsync(new(OwnLedger.Project, true, DateTimeOffset.MinValue, Always), random));
        Assert.Empty(await PagesAsync(new(Ids.New(), false, DateTimeOffset.MinValue, Always), random));
    }

    [Fact]
    public async Task What_is_booked_while_somebody_reads_moves_no_line_from_one_page_to_another()
    {
        var random = new Random(7);
        await BookAsync(random);
        var filter = new UsageFilter(OwnLedger.Project, false, DateTimeOffset.MinValue, Always);
        var before = await PagesAsync(filter, random);

        var lines = new List<UsageLine>();
        LinePlace? next = LinePlace.End;
        while (next is { } place)
        {
            (var some, next) = await UsageLog.ReadAsync(_ledger.Database, filter, place, Always, 4, Token);
            lines.AddRange(some);
            await _ledger.SettleAsync(_ledger.Settlement(DateTimeOffset.UtcNow.AddHours(-random.Next(30))));
        }

        Assert.Equal(before, lines);
    }

    [Fact]
    public async Task An_export_has_what_was_booked_before_it_and_its_reader_may_take_as_long_as_it_likes()
    {
        var random = new Random(8);
        await BookAsync(random);
        var filter = new UsageFilter(OwnLedger.Project, false, DateTimeOffset.MinValue, Always);
        var before = await PagesAsync(filter, random);
        // It has one connection: who held it between two lines would keep everybody else out.
        await using var one = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Stack.Connection("wallet"))
        {
            Database = new NpgsqlConnectionStringBuilder(_ledger.Database.ConnectionString).Database, MaxPoolSize = 1, Timeout = 5,
        });

        var until = await ClockLock.BookedBeforeAsync(one, Token);
        var lines = new List<UsageLine>();
        await foreach (var line in UsageLog.AllAsync(one, filter, until, atOnce: 3, Token))
        {
            lines.Add(line);
            await using var other = one.Sql("select 1");
            Assert.Equal(1, await other.ExecuteScalarAsync(Token));
            if (lines.Count == 1)
                await _ledger.SettleAsync(_ledger.Settlement(DateTimeOffset.UtcNow.AddHours(-1)));
        }

        Assert.Equal(before, lines);
    }

    [Fact]
    public async Task A_booking_that_is_under_way_is_in_an_export_that_begins_then_and_no_other_one_waits_for_it()
    {
        await _ledger.SettleAsync(_ledger.Settlement(DateTimeOffset.UtcNow));
        await using var connection = await _ledger.Database.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        // As the ledger writes it: the clock is read under the lock, and the row is seen from the commit on.
        await using var booking = new NpgsqlCommand($$"""
            select pg_advisory_xact_lock_shared({{ClockLock.Key}});
            insert into usage_record select (jsonb_populate_record(null::usage_record, to_jsonb(u) || jsonb_build_object(
                'request_id', left(u.request_id::text, 14) || right(gen_random_uuid()::text, 22), 'charged', 0, 'absorbed', 0,
                'model', 'under way', 'created_at', clock_timestamp()))).*
            from usage_record u
            """, connection, transaction);
        Assert.Equal(1, await booking.ExecuteNonQueryAsync(Token));

        var moment = ClockLock.BookedBeforeAsync(_ledger.Database, Token);
        await _ledger.SettleAsync(_ledger.Settlement(DateTimeOffset.UtcNow));
        Assert.False(moment.IsCompleted);
        await transaction.CommitAsync(Token);

        var filter = new UsageFilter(OwnLedger.Project, false, DateTimeOffset.MinValue, Always);
        var lines = new List<UsageLine>();
        await foreach (var line in UsageLog.AllAsync(_ledger.Database, filter, await moment, atOnce: 10, Token))
            lines.Add(line);
        Assert.Contains("under way", lines.Select(line => line.Model));
    }

    [Fact]
    public async Task A_request_is_shown_with_all_its_attempts_who_paid_and_what_was_corrected()
    {
        var began = DateTimeOffset.UtcNow.AddMinutes(-1);
        var answered = Like(_ledger.Settlement(began.AddSeconds(1), cost: 90), usage => usage with
        {
            Meters = new Usage { [Meter.Input] = 3, [Meter.CacheWrite5m] = 2, [Meter.Output] = 5 }.ToArray(), FirstByteMs = 12,
        });
        var request = answered.Settlement.RequestId;
        var failed = Like(_ledger.Settlement(began, cost: 0), usage => usage with
        {
            Outcome = RequestOutcome.Failed, Status = 503, Reason = "upstream_503", Provider = "first", AttemptOf = request,
        });
        await _ledger.SettleAsync(failed, answered);
        await _ledger.Writer.RunAsync(_ledger.Correction(answered, cost: 60));

        var shown = (await FindRequest.ReadAsync(_ledger.Database, OwnLedger.Project, false, request, Token))!;

        Assert.Equal((Ids.Show(Ids.Request, request), RequestOutcome.Completed), (shown.Id, shown.Outcome));
        Assert.Equal((60L, 60L, 0L, 0L), (shown.Cost.Nanos, shown.Charged.Nanos, shown.Absorbed.Nanos, shown.Covered.Nanos));
        Assert.Equal(["first 503 upstream_503", "p 200 "], shown.Attempts.Select(one => $"{one.Provider} {one.Status} {one.Reason}"));
        Assert.Equal(
            new Dictionary<string, long> { ["input"] = 3, ["cacheWrite5m"] = 2, ["output"] = 5 }, shown.Attempts[1].Meters);
        Assert.Equal(12, shown.Attempts[1].FirstByteMs);
        Assert.Equal(new PaidLine("wallet", "usd", "0.00000009"), Assert.Single(shown.Attempts[1].PaidBy));
        var correction = Assert.Single(shown.Corrections);
        Assert.Equal((90L, 60L, -30L), (correction.OldCost.Nanos, correction.NewCost.Nanos, correction.Charged.Nanos));
        var lines = await PagesAsync(new(OwnLedger.Project, false, DateTimeOffset.MinValue, Always), new(1));
        Assert.Equal(new RollupSums(1, 0, 2, 6, 5, 60, 60, 0, 0, 0), Sum(lines.Select(line => line.Sums)));
        Assert.Null(await FindRequest.ReadAsync(_ledger.Database, OwnLedger.Project, true, request, Token));
        Assert.Null(await FindRequest.ReadAsync(_ledger.Database, Ids.New(), false, request, Token));
    }

    /// <summary>Page by page, of any size, also where a page looks through few rows.</summary>
    async Task<List<UsageLine>> PagesAsync(UsageFilter filter, Random random)
    {
        var lines = new List<UsageLine>();
        LinePlace? next = LinePlace.End;
        while (next is { } place)
        {
            (var some, next) = await UsageLog.ReadAsync(
                _ledger.Database, filter, place, Always, random.Next(1, 20), Token, scanned: random.Next(2, 40));
            lines.AddRange(some);
        }
        return lines;
    }

    /// <summary>Requests of a day and a half, some booked long after they began, some attempts, some of nobody, and corrections.</summary>
    async Task BookAsync(Random random)
    {
        var settled = Enumerable.Range(0, 25).Select(_ => Like(
            _ledger.Settlement(DateTimeOffset.UtcNow.AddHours(-36 * Math.Pow(random.NextDouble(), 3)), cost: random.Next(2, 90)),
            usage => usage with
            {
                Model = $"m{random.Next(3)}", Provider = $"p{random.Next(2)}", Endpoint = $"/v1/{random.Next(3)}",
                Customer = random.Next(4) == 0 ? null : IdOf(random.Next(3)),
                Family = random.Next(2) == 0 ? null : IdOf(10 + random.Next(3)),
                Credential = IdOf(20 + random.Next(2)), Outcome = (RequestOutcome)random.Next(4),
                AttemptOf = random.Next(6) == 0 ? Ids.New() : null,
                Meters = new Usage { [Meter.Input] = random.Next(9), [Meter.Output] = random.Next(9) }.ToArray(),
            })).ToArray();
        await _ledger.SettleAsync(settled);
        await _ledger.Writer.RunAsync([.. settled[..5].Select(settle => _ledger.Correction(settle, random.Next(1, 90)))]);
    }

    /// <summary>The same in each run, so that groups have several requests.</summary>
    static Guid IdOf(int number) => Ids.Derive(OwnLedger.Project, number.ToString(CultureInfo.InvariantCulture));

    static Guid IdIn(string prefix, string shown) => Ids.TryParse(prefix, shown, out var id) ? id : throw new FormatException(shown);

    static string Text(DateTimeOffset time) => time.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    static Settle Like(Settle settle, Func<UsageRecord, UsageRecord> change) =>
        new(settle.Settlement with { Usage = change(settle.Settlement.Usage) });

    static RollupSums Sum(IEnumerable<RollupSums> parts) => WithoutLate(parts.Aggregate(default(RollupSums), (sum, part) => sum + part));

    /// <summary>How many count in the time of their booking is said by sums alone.</summary>
    static RollupSums WithoutLate(RollupSums sums) => sums with { Late = 0 };
}
