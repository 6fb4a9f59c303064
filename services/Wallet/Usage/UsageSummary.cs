using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /v1/usage/summary?from=&amp;to=&amp;range=&amp;group=&amp;timeZone=&amp;limit=</c>: the usage of a project's mode in sums. It
/// reads roll-ups and never the log, so its time begins and ends at quarters of an hour.
/// </summary>
public static class UsageSummary
{
    const int DefaultRows = 100, MaxRows = 1000, MaxDays = 366;

    static readonly TimeSpan Quarter = TimeSpan.FromMinutes(15), Hour = TimeSpan.FromHours(1), Day = TimeSpan.FromDays(1);

    static readonly Dictionary<string, TimeSpan> Ranges = new(StringComparer.Ordinal)
    {
        ["24h"] = Day, ["7d"] = 7 * Day, ["30d"] = 30 * Day, ["90d"] = 90 * Day,
    };

    static readonly Dictionary<string, RollupDimension> Groups = new(StringComparer.Ordinal)
    {
        ["day"] = RollupDimension.Total, ["hour"] = RollupDimension.Total, ["model"] = RollupDimension.Model,
        ["provider"] = RollupDimension.Provider, ["endpoint"] = RollupDimension.Endpoint, ["customer"] = RollupDimension.Customer,
        ["key"] = RollupDimension.Key,
    };

    /// <param name="Value">Of the group: the start of an hour or day, or a name or id; empty for requests that have none.</param>
    public sealed record Row(
        string Value, long Requests, long Failed, long Attempts, long InputTokens, long OutputTokens, Money Cost, Money Charged,
        Money Absorbed, Money Covered);

    /// <param name="From">The asked times, rounded to whole quarters of an hour around them.</param>
    /// <param name="Others">What the groups beyond the asked number come to, so that everything adds up to the total.</param>
    public sealed record Answer(DateTimeOffset From, DateTimeOffset To, string TimeZone, IReadOnlyList<Row> Rows, Row Others, Row Total);

    public static void MapUsageSummary(this WebApplication app) => app.MapGet("/v1/usage/summary", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, TimeProvider time)
    {
        var caller = http.Backend();
        var query = new ListQuery(http.Request.Query);
        var (from, to) = TimeOf(query, time.GetUtcNow());
        var zone = query.Text("timeZone") ?? "UTC";
        if (!Cycles.IsZone(zone))
            throw ListQuery.Invalid("timeZone", $"names '{zone}', which is no IANA time zone");
        var group = query.Text("group") ?? "day";
        if (!Groups.TryGetValue(group, out var dimension))
            throw ListQuery.Invalid("group", $"must be one of {string.Join(", ", Groups.Keys)}");
        var limit = query.Limit(DefaultRows, MaxRows);

        var rows = dimension == RollupDimension.Total
            ? ByTime(await QuartersAsync(database, caller, from, to, http.RequestAborted), zone, byHour: group == "hour")
            : await ByValueAsync(database, caller, dimension, from, to, http.RequestAborted);
        var total = rows.Aggregate(default(RollupSums), (sum, row) => sum + row.Sums);
        var shown = dimension == RollupDimension.Total ? rows : [.. rows.OrderByDescending(row => row.Sums.Cost).Take(limit)];
        var others = total - shown.Aggregate(default(RollupSums), (sum, row) => sum + row.Sums);
        return Results.Json(
            new Answer(from, to, zone, [.. shown.Select(row => Show(row.Value, row.Sums))], Show("", others), Show("", total)),
            Defaults.Json);
    }

    static (DateTimeOffset From, DateTimeOffset To) TimeOf(ListQuery query, DateTimeOffset now)
    {
        var (asked, range) = (query.Time("from"), query.Text("range"));
        if (asked is not null && range is not null)
            throw ListQuery.Invalid("range", "stands instead of 'from' and 'to', not beside them");
        var length = Day;
        if (range is not null && !Ranges.TryGetValue(range, out length))
            throw ListQuery.Invalid("range", $"must be one of {string.Join(", ", Ranges.Keys)}");
        var to = query.Time("to") ?? now;
        var from = asked ?? to - length;
        if (from >= to || to - from > MaxDays * Day)
            throw ListQuery.Invalid("from", $"must be earlier than 'to', by at most {MaxDays} days");
        return (Rollups.Floor(from, Quarter), Ceiling(to, Quarter));
    }

    static DateTimeOffset Ceiling(DateTimeOffset moment, TimeSpan grain) => Rollups.Floor(moment + grain - TimeSpan.FromTicks(1), grain);

    /// <summary>Days and hours of the zone. Hours are counted from each midnight, so those of :30 and :45 are whole, too.</summary>
    public static List<(string Value, RollupSums Sums)> ByTime(
        IEnumerable<(DateTimeOffset At, RollupSums Sums)> quarters, string zone, bool byHour)
    {
        var rule = new CycleRule(CycleUnit.Day, 1, Cycles.DefaultAnchor, zone);
        var rows = new List<(string Value, RollupSums Sums)>();
        Cycle day = default;
        foreach (var (at, sums) in quarters)
        {
            if (at < day.From || at >= day.To)
                day = Cycles.Of(rule, at);
            var begin = byHour ? day.From + Rollups.Whole(at - day.From, Hour) : day.From;
            var value = begin.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
            if (rows is [.., var last] && last.Value == value)
                rows[^1] = (value, last.Sums + sums);
            else
                rows.Add((value, sums));
        }
        return rows;
    }

    static async Task<List<(DateTimeOffset At, RollupSums Sums)>> QuartersAsync(
        NpgsqlDataSource database, Principal caller, DateTimeOffset from, DateTimeOffset to, CancellationToken token)
    {
        await using var query = database.Sql($"""
            select {Sums("")}, at from rollup
            where project = $1 and test = $2 and grain = 0 and dimension = 0 and at >= $3 and at < $4 order by at
            """, caller.Project, caller.Test, from, to);
        var quarters = new List<(DateTimeOffset, RollupSums)>();
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            quarters.Add((row.GetFieldValue<DateTimeOffset>(9), SumsOf(row)));
        return quarters;
    }

    /// <summary>Whole days from days, and the rest at both ends from quarters of an hour.</summary>
    static async Task<List<(string Value, RollupSums Sums)>> ByValueAsync(
        NpgsqlDataSource database, Principal caller, RollupDimension dimension, DateTimeOffset from, DateTimeOffset to,
        CancellationToken token)
    {
        var firstDay = Ceiling(from, Day) is var first && first < to ? first : to;
        var lastDay = Rollups.Floor(to, Day) is var last && last > firstDay ? last : firstDay;
        await using var query = database.Sql($"""
            select {Sums("sum")}, value from (
                select * from rollup where project = $1 and test = $2 and grain = 0 and dimension = $3 and at >= $4 and at < $5
                union all
                select * from rollup where project = $1 and test = $2 and grain = 1 and dimension = $3 and at >= $5 and at < $6
                union all
                select * from rollup where project = $1 and test = $2 and grain = 0 and dimension = $3 and at >= $6 and at < $7) as parts
            group by value
            """, caller.Project, caller.Test, (short)dimension, from, firstDay, lastDay, to);
        var values = new List<(string, RollupSums)>();
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            values.Add((row.GetString(9), SumsOf(row)));
        return values;
    }

    static readonly string[] Columns = ["requests", "failed", "attempts", "input", "output", "cost", "charged", "absorbed", "covered"];

    static string Sums(string function) => string.Join(", ", Columns.Select(column => $"{function}({column})::bigint"));

    static RollupSums SumsOf(NpgsqlDataReader row) => new(
        row.GetInt64(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4), row.GetInt64(5), row.GetInt64(6),
        row.GetInt64(7), row.GetInt64(8), 0);

    static Row Show(string value, RollupSums sums) => new(
        value, sums.Requests, sums.Failed, sums.Attempts, sums.Input, sums.Output, new(sums.Cost), new(sums.Charged), new(sums.Absorbed),
        new(sums.Covered));
}
