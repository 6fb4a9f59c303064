using System.Globalization;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /v1/usage/summary?from=&amp;to=&amp;range=&amp;group=&amp;timeZone=&amp;limit=&amp;format=</c>: the usage of a project's mode
/// in sums, as JSON or CSV. It reads roll-ups, and of the log what is not in them yet, so its time begins and ends at quarters of an hour.
/// Dates are days of the zone.
/// </summary>
public static class UsageSummary
{
    const int DefaultRows = 100, MaxRows = 1000, MaxDays = 366;

    static readonly TimeSpan Hour = TimeSpan.FromHours(1), Day = RollupTimes.Day;

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

    public static void MapUsageSummary(this WebApplication app) =>
        app.MapGet("/v1/usage/summary", HandleAsync).WithQuery(
            "from", "to", "range", "group", "timeZone", "limit", "format");

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, TimeProvider time)
    {
        var caller = http.Backend();
        var query = new ListQuery(http.Request.Query);
        var zone = query.Text("timeZone") ?? "UTC";
        if (!Cycles.IsZone(zone))
            throw ListQuery.Invalid("timeZone", $"names '{zone}', which is no IANA time zone");
        var (from, to) = TimeOf(query, zone, time.GetUtcNow());
        var group = query.Text("group") ?? "day";
        if (!Groups.TryGetValue(group, out var dimension))
            throw ListQuery.Invalid("group", $"must be one of {string.Join(", ", Groups.Keys)}");
        var (limit, asCsv) = (query.Limit(DefaultRows, MaxRows), http.WantsCsv());

        var (project, test, token) = (caller.Project, caller.Test, http.RequestAborted);
        var (rows, total) = dimension == RollupDimension.Total
            ? AllOf(ByTime(await QuartersAsync(database, project, test, from, to, token), zone, byHour: group == "hour"))
            : await ByValueAsync(database, project, test, dimension, from, to, time.GetUtcNow(), limit, token);
        var others = total - AllOf(rows).Total;
        if (asCsv)
            return Results.File(Encoding.UTF8.GetBytes(Table(rows, others, total)), $"{Csv.Type}; charset=utf-8", "usage-summary.csv");
        return Results.Json(
            new Answer(from, to, zone, [.. rows.Select(row => Show(row.Value, row.Sums))], Show("", others), Show("", total)),
            Defaults.Json);
    }

    static (List<(string Value, RollupSums Sums)> Rows, RollupSums Total) AllOf(List<(string Value, RollupSums Sums)> rows) =>
        (rows, rows.Aggregate(default(RollupSums), (sum, row) => sum + row.Sums));

    public static (DateTimeOffset From, DateTimeOffset To) TimeOf(ListQuery query, string zone, DateTimeOffset now)
    {
        var (asked, range) = (Instant(query, "from", zone), query.Text("range"));
        if (asked is not null && range is not null)
            throw ListQuery.Invalid("range", "stands instead of 'from' and 'to', not beside them");
        var length = Day;
        if (range is not null && !Ranges.TryGetValue(range, out length))
            throw ListQuery.Invalid("range", $"must be one of {string.Join(", ", Ranges.Keys)}");
        var to = Instant(query, "to", zone) ?? now;
        var from = asked ?? to - length;
        if (from >= to || to - from > MaxDays * Day)
            throw ListQuery.Invalid("from", $"must be earlier than 'to', by at most {MaxDays} days");
        return (RollupTimes.Floor(from, RollupTimes.Quarter), RollupTimes.Ceiling(to, RollupTimes.Quarter));
    }

    /// <summary>A date without a time is where that day of the zone begins. A time without an offset is UTC.</summary>
    static DateTimeOffset? Instant(ListQuery query, string name, string zone) =>
        query.Date(name) is { Year: > 1 } date ? Cycles.StartOf(date, zone) : query.Time(name);

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
            var begin = byHour ? day.From + Whole(at - day.From, Hour) : day.From;
            var value = begin.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
            if (rows is [.., var last] && last.Value == value)
                rows[^1] = (value, last.Sums + sums);
            else
                rows.Add((value, sums));
        }
        return rows;
    }

    /// <summary>The part of a time that consists of whole ones.</summary>
    static TimeSpan Whole(TimeSpan time, TimeSpan grain) => time - TimeSpan.FromTicks(time.Ticks % grain.Ticks);

    /// <summary>The project's sums by quarter of an hour, in their order.</summary>
    public static Task<List<(DateTimeOffset At, RollupSums Sums)>> QuartersAsync(
        NpgsqlDataSource database, Guid project, bool test, DateTimeOffset from, DateTimeOffset to, CancellationToken token) =>
        ReadAsync(
            database,
            $"""
            select {BookedUsage.Summed}, at
            from (
                select * from rollup where project = $1 and test = $2 and {BookedUsage.OfAll} and at >= $4 and at < $5
                union all
                {Open}) as parts
            where dimension = {(short)RollupDimension.Total} group by at order by at
            """,
            [project, test, from, to], row => row.GetFieldValue<DateTimeOffset>(BookedUsage.Figures.Length), token);

    /// <summary>
    /// Whole days from days, and the rest at both ends from quarters of an hour. The day of now has nothing behind now, so it is whole.
    /// </summary>
    /// <returns>
    /// The most expensive, at most <paramref name="limit"/>, and what all come to. A project may have a million customers.
    /// </returns>
    public static async Task<(List<(string Value, RollupSums Sums)> Rows, RollupSums Total)> ByValueAsync(
        NpgsqlDataSource database, Guid project, bool test, RollupDimension dimension, DateTimeOffset from, DateTimeOffset to,
        DateTimeOffset now, int limit, CancellationToken token)
    {
        var times = RollupTimes.Of(from, to > now ? RollupTimes.Ceiling(to, Day) : to);
        var rows = await ReadAsync(
            database,
            $"""
            with sums as materialized (
                select {BookedUsage.Summed}, value
                from (
                    {Of(BookedUsage.Quarters)} and at >= $4 and at < $7
                    union all
                    {Of(BookedUsage.Days)} and at >= $7 and at < $8
                    union all
                    {Of(BookedUsage.Quarters)} and at >= $8 and at < $5
                    union all
                    {Open}) as parts
                where dimension = $6 group by value)
            (select {BookedUsage.Columns}, value from sums order by cost desc, value limit $9)
            union all
            select {BookedUsage.Summed}, null from sums having count(*) > 0
            """,
            [project, test, times.Begin, times.End, (short)dimension, times.FirstDay, times.EndOfDays, limit],
            row => row.IsDBNull(BookedUsage.Figures.Length) ? null : row.GetString(BookedUsage.Figures.Length), token);
        return (
            [.. from row in rows where row.Key is not null select (row.Key, row.Sums)],
            rows.Find(row => row.Key is null).Sums);

        static string Of(string grain) =>
            $"select * from rollup where project = $1 and test = $2 and grain = {grain} and dimension = $6";
    }

    /// <summary>What is booked and not in the roll-ups, as their rows.</summary>
    static readonly string Open = $"""
        select project, test, {BookedUsage.Quarters}::smallint as grain, dimension, at, value, {BookedUsage.Columns}
        from ({BookedUsage.SumsWhere("project = $1 and test = $2 and created_at >= $3 and at >= $4 and at < $5")}) as open
        """;

    /// <summary>
    /// The rows of a query, whose third value is until when the roll-ups have everything. Both are of one snapshot, so a request is in the
    /// roll-ups or in the log, and never in both.
    /// </summary>
    static async Task<List<(T Key, RollupSums Sums)>> ReadAsync<T>(
        NpgsqlDataSource database, string sql, object[] values, Func<NpgsqlDataReader, T> key, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var snapshot = await Proof.SnapshotAsync(connection, token);
        await connection.RunAsync(Database.IndexesOnly, token); // statistics may be from before there was much
        await using var summed = connection.Sql("select until from summed where one");
        var until = (DateTime)(await summed.ExecuteScalarAsync(token))!;
        await using var query = connection.Sql(sql, [.. values[..2], until, .. values[2..]]);
        query.CommandTimeout = 0; // much may wait to be summed up; who asked may give up
        var rows = new List<(T Key, RollupSums Sums)>();
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            rows.Add((key(row), SumsOf(row)));
        return rows;
    }

    static RollupSums SumsOf(NpgsqlDataReader row) => new(
        row.GetInt64(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4), row.GetInt64(5), row.GetInt64(6),
        row.GetInt64(7), row.GetInt64(8), row.GetInt64(9));

    /// <summary>What each line is comes first, so that nobody adds the total to what it is the total of.</summary>
    static string Table(List<(string Value, RollupSums Sums)> rows, RollupSums others, RollupSums total)
    {
        var text = new StringBuilder(Csv.Line(
        [
            "line", "value", "requests", "failed", "attempts", "inputTokens", "outputTokens", "cost", "charged", "absorbed", "covered",
        ]));
        foreach (var (value, sums) in rows)
            Add("row", value, sums);
        Add("others", "", others);
        Add("total", "", total);
        return text.ToString();

        void Add(string line, string value, RollupSums sums) => text.Append(Csv.Line(
        [
            line, value, $"{sums.Requests}", $"{sums.Failed}", $"{sums.Attempts}", $"{sums.Input}", $"{sums.Output}",
            new Money(sums.Cost).ToString(), new Money(sums.Charged).ToString(), new Money(sums.Absorbed).ToString(),
            new Money(sums.Covered).ToString(),
        ]));
    }

    internal static Row Show(string value, RollupSums sums) => new(
        value, sums.Requests, sums.Failed, sums.Attempts, sums.Input, sums.Output, new(sums.Cost), new(sums.Charged), new(sums.Absorbed),
        new(sums.Covered));
}
