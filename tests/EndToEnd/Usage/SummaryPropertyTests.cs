using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace LlmGateway.EndToEnd;

/// <summary>Whatever is asked of the usage log, each part is what was booked of it, and the parts add up to the whole.</summary>
public sealed class SummaryPropertyTests : OnOwnLedger
{
    static readonly string[] Zones = ["UTC", "Asia/Kathmandu", "America/Santiago", "Pacific/Chatham"], Ranges = ["24h", "7d", "30d", "90d"];

    static readonly RollupDimension[] Dimensions = [.. Enum.GetValues<RollupDimension>().Where(one => one != RollupDimension.Total)];

    /// <summary>What a row of the log, or a correction, adds, when, and under which value of each dimension.</summary>
    sealed record Booked(DateTimeOffset At, Dictionary<RollupDimension, string> Values, RollupSums Sums);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public async Task Of_every_time_zone_and_group_the_parts_are_what_was_booked_and_add_up_to_the_whole(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 3; round++)
        {
            await BookAsync(random);
            if (random.Next(2) == 0)
                await _ledger.Rollups.SumUpAsync(Token);
        }
        var booked = await BookedAsync();

        for (var i = 0; i < 30; i++)
        {
            var (zone, now) = (Zones[random.Next(Zones.Length)], DateTimeOffset.UtcNow);
            var query = Query(random, now);
            var (from, to) = UsageSummary.TimeOf(new(query), zone, now);
            var parts = booked.Where(one => one.At >= from && one.At < to).ToList();
            var whole = Sum(parts.Select(one => one.Sums));

            var quarters = await UsageSummary.QuartersAsync(_ledger.Database, OwnLedger.Project, test: false, from, to, Token);
            foreach (var byHour in (bool[])[false, true])
                Assert.Equal(whole, Sum(UsageSummary.ByTime(quarters, zone, byHour).Select(row => row.Sums)));
            foreach (var dimension in Dimensions)
            {
                var limit = random.Next(1, 7);
                var (rows, total) = await UsageSummary.ByValueAsync(
                    _ledger.Database, OwnLedger.Project, test: false, dimension, from, to, now, limit, Token);
                var expected = parts.GroupBy(one => one.Values[dimension], one => one.Sums)
                    .ToDictionary(group => group.Key, group => Sum(group));

                Assert.Equal(whole, total);
                Assert.All(rows, row => Assert.Equal(expected[row.Value], row.Sums));
                Assert.Equal(
                    expected.Values.Select(sums => sums.Cost).OrderDescending().Take(limit), rows.Select(row => row.Sums.Cost));
            }
        }
        await _ledger.VerifyAsync();
    }

    /// <summary>Requests of a day and a half, some late, some attempts, some paid by something else, and corrections of some.</summary>
    async Task BookAsync(Random random)
    {
        var settled = Enumerable.Range(0, 25).Select(_ =>
        {
            var settle = _ledger.Settlement(DateTimeOffset.UtcNow.AddHours(-36 * random.NextDouble()), cost: random.Next(2, 90)).Settlement;
            var cost = settle.Usage.Cost.Nanos;
            settle = settle with
            {
                Usage = settle.Usage with
                {
                    Model = $"m{random.Next(4)}", Provider = $"p{random.Next(2)}", Endpoint = $"/v1/{random.Next(3)}",
                    Customer = random.Next(4) == 0 ? null : IdOf(random.Next(3)),
                    Family = random.Next(2) == 0 ? null : IdOf(10 + random.Next(3)), Credential = IdOf(20 + random.Next(2)),
                    Outcome = (RequestOutcome)random.Next(4), AttemptOf = random.Next(6) == 0 ? Ids.New() : null,
                    Meters = new Usage
                    {
                        [Meter.Input] = random.Next(9), [Meter.CachedInput] = random.Next(9), [Meter.Output] = random.Next(9),
                        [Meter.Reasoning] = random.Next(9),
                    }.ToArray(),
                },
            };
            if (random.Next(3) == 0)
                settle = settle with { Charges = [new(_ledger.Wallet, cost / 2)], Due = cost / 2 };
            return new Settle(settle) { Record = SettlementRecord.Encode(settle).ToArray() };
        }).ToArray();
        await _ledger.SettleAsync(settled);
        await _ledger.Writer.RunAsync([.. settled[..5].Select(settle => _ledger.Correction(settle, random.Next(1, 90)))]);
    }

    /// <summary>The same in each run, so that groups have several requests.</summary>
    static Guid IdOf(int number) => Ids.Derive(OwnLedger.Project, number.ToString(CultureInfo.InvariantCulture));

    /// <summary>The times that a caller may ask for.</summary>
    static QueryCollection Query(Random random, DateTimeOffset now)
    {
        var from = now.AddMinutes(-random.Next(5, 60 * 48));
        var to = from.AddMinutes(random.Next(1, 60 * 50));
        return new(random.Next(4) switch
        {
            0 => Of(("range", Ranges[random.Next(Ranges.Length)])),
            1 => Of(("range", Ranges[random.Next(Ranges.Length)]), ("to", Text(to))),
            2 => Of(("from", Text(from)), ("to", Text(to))),
            _ => Of(("from", Date(from.AddDays(-1))), ("to", Date(to.AddDays(random.Next(3))))),
        });

        static Dictionary<string, StringValues> Of(params (string Name, string Value)[] members) =>
            members.ToDictionary(member => member.Name, member => new StringValues(member.Value));

        static string Text(DateTimeOffset time) => time.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

        static string Date(DateTimeOffset time) => time.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
    }

    /// <summary>As docs/money.md says it, from the log alone.</summary>
    async Task<List<Booked>> BookedAsync()
    {
        await using var query = _ledger.Database.Sql("""
            select started_at, created_at, model, provider, endpoint, customer, credential, family, attempt_of is null, outcome, meters,
                cost, charged, absorbed, covered, false
            from usage_record
            union all
            select started_at, c.created_at, model, provider, endpoint, u.customer, credential, family, false, 0::smallint, null,
                new_cost - old_cost, c.charged, c.absorbed, c.covered, true
            from correction c join usage_record u using (request_id)
            """);
        var booked = new List<Booked>();
        await using var row = await query.ExecuteReaderAsync(Token);
        while (await row.ReadAsync(Token))
        {
            var (began, at) = (row.GetFieldValue<DateTimeOffset>(0), row.GetFieldValue<DateTimeOffset>(1));
            var (isLate, isLast) = (began <= at.AddHours(-24), row.GetBoolean(8));
            var (isRequest, isFailed) = (!row.GetBoolean(15), isLast && row.GetInt16(9) == (short)RequestOutcome.Failed);
            var meters = isRequest ? row.GetFieldValue<long[]>(10) : new long[Usage.Meters];
            booked.Add(new(
                RollupTimes.Floor(isLate || began > at ? at : began, RollupTimes.Quarter),
                new()
                {
                    [RollupDimension.Model] = row.GetString(2), [RollupDimension.Provider] = row.GetString(3),
                    [RollupDimension.Endpoint] = row.GetString(4),
                    [RollupDimension.Customer] = row.IsDBNull(5) ? "" : Ids.Show(Ids.Customer, row.GetGuid(5)),
                    [RollupDimension.Key] = row.IsDBNull(7) ? $"key_{row.GetGuid(6):N}" : $"ses_{row.GetGuid(7):N}",
                },
                new(
                    isLast ? 1 : 0, isFailed ? 1 : 0, isRequest ? 1 : 0, meters[(int)Meter.Input] + meters[(int)Meter.CachedInput],
                    meters[(int)Meter.Output] + meters[(int)Meter.Reasoning], row.GetInt64(11), row.GetInt64(12), row.GetInt64(13),
                    row.GetInt64(14), isRequest && isLate ? 1 : 0)));
        }
        return booked;
    }

    static RollupSums Sum(IEnumerable<RollupSums> parts) => parts.Aggregate(default(RollupSums), (sum, part) => sum + part);
}
