using System.Runtime.CompilerServices;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Which lines are asked for: those that count from <paramref name="From"/> on and before <paramref name="To"/>, which are edges of
/// quarters of an hour, so that they are those of a summary of that time. Null is any.
/// </summary>
public sealed record UsageFilter(Guid Project, bool Test, DateTimeOffset From, DateTimeOffset To)
{
    public Guid? Customer { get; init; }
    public Guid? Session { get; init; }
    public Guid? Key { get; init; }
    public string? Model { get; init; }
    public string? Provider { get; init; }
    public string? Endpoint { get; init; }
    public RequestOutcome? Outcome { get; init; }
}

/// <summary>
/// Reads the usage log and its corrections, newest booking first, a page at a time. Pages follow each other by place, so that what is
/// booked meanwhile moves no line from one to another. Nothing of the database is held between two pages.
/// </summary>
public static class UsageLog
{
    /// <summary>
    /// Rows that one page looks through at most, of each of its three parts: a filter that hits nothing must not read it all.
    /// </summary>
    public const int Scanned = 5_000;

    /// <summary>A request that was booked later after it began is found by an index of its own.</summary>
    static readonly TimeSpan Slow = TimeSpan.FromMinutes(10);

    /// <param name="Next">Where the next page begins. Null: there is none. A page may be short, or empty, and have a next one.</param>
    public sealed record Page(List<UsageLine> Lines, LinePlace? Next);

    /// <param name="after">Where the page before has ended.</param>
    /// <param name="until">Only what was booked before.</param>
    public static Task<Page> ReadAsync(
        NpgsqlDataSource database, UsageFilter filter, LinePlace after, DateTimeOffset until, int limit, CancellationToken token,
        int scanned = Scanned)
    {
        var values = new List<object?>
        {
            filter.Project, filter.Test, filter.From, filter.To, Earlier(Later(filter.To, Slow), until),
            Earlier(Later(filter.To, RollupTimes.Day), until), after.BookedAt, after.Id, scanned, limit + 1,
        };
        var sql = Sql(filter, values);
        return database.ByIndexAsync<Page>(async connection =>
        {
            await using var query = connection.Sql(sql, [.. values]);
            await using var row = await query.ExecuteReaderAsync(token);
            var lines = new List<UsageLine>();
            while (await row.ReadAsync(token))
            {
                var place = new LinePlace(row.GetFieldValue<DateTimeOffset>(1), row.GetGuid(0));
                var (isAsked, isLastScanned) = (row.GetBoolean(2), row.GetBoolean(3));
                if (isAsked && lines.Count == limit)
                    return new(lines, lines[^1].Place);
                if (isAsked)
                    lines.Add(Line(row, place));
                // What lies behind it in its part has not been looked at.
                if (isLastScanned)
                    return new(lines, place);
            }
            return new(lines, null);
        }, token);
    }

    /// <summary>All of them. A reader may take as long as it likes over each.</summary>
    public static async IAsyncEnumerable<UsageLine> AllAsync(
        NpgsqlDataSource database, UsageFilter filter, DateTimeOffset until, int atOnce, [EnumeratorCancellation] CancellationToken token)
    {
        LinePlace? next = LinePlace.End;
        while (next is { } place)
        {
            (var lines, next) = await ReadAsync(database, filter, place, until, atOnce, token);
            foreach (var line in lines)
                yield return line;
        }
    }

    /// <summary>
    /// Three parts. Rows that were booked soon after they began lie between the two times, but for a rest behind their end. Of what was
    /// booked there up to a day later, only slow requests belong to it, and corrections.
    /// </summary>
    static string Sql(UsageFilter filter, List<object?> values)
    {
        string And(string column, object? value)
        {
            if (value is null)
                return "";
            values.Add(value);
            return $" and {column} = ${values.Count}";
        }

        var ofCustomer = And("customer", filter.Customer);
        var asked = And("family", filter.Session)
            + And("case when family is null then credential end", filter.Key)
            + And("model", filter.Model)
            + And("provider", filter.Provider)
            + And("endpoint", filter.Endpoint)
            + And("outcome", (short?)filter.Outcome);
        var rows = $"""
            select request_id as key, created_at, {BookedUsage.Moment} as at, case when attempt_of is null then 0 else 1 end as type,
                request_id, attempt_of, started_at, customer, credential, family, test, endpoint, model, provider, upstream_model,
                price_version, stream, duration_ms, first_byte_ms, status, outcome, input_tokens(meters) as input,
                output_tokens(meters) as output, cost, charged, absorbed, covered, estimated, reason, n
            """;
        return $"""
            select key, created_at, asked, n = $9, at, type, request_id, attempt_of, started_at, customer, credential, family, endpoint,
                model, provider, upstream_model, price_version, stream, duration_ms, first_byte_ms, status, outcome, input, output, cost,
                charged, absorbed, covered, estimated, reason
            from (
                select *, coalesce(test = $2 and at >= $3 and at < $4{asked}, false) as asked
                from (
                    {rows}
                    from {Part("usage_record", "request_id", $"created_at >= $3 and created_at < $5{ofCustomer}")}
                    union all
                    {rows}
                    from {Part(
                        "usage_record", "request_id",
                        $"created_at >= $5 and created_at < $6 and created_at - started_at > interval '10 minutes'{ofCustomer}")}
                    union all
                    select transfer, b.created_at, {BookedUsage.Moment}, 2, b.request_id, attempt_of, started_at, u.customer, credential,
                        family, test, endpoint, model, provider, upstream_model, b.price_version, stream, 0, null, status, outcome,
                        0::bigint, 0::bigint, new_cost - old_cost, b.charged, b.absorbed, b.covered, false, null, n
                    from {Part("correction", "transfer", $"created_at >= $3 and created_at < $6{ofCustomer}")}
                    left join lateral (select * from usage_record where request_id = b.request_id offset 0) as u on true) as parts) as seen
            where asked or n = $9 order by created_at desc, key desc limit $10
            """;
    }

    /// <summary>Rows of a table in the order of the list, numbered. The last one that may be read shows that there may be more.</summary>
    static string Part(string table, string key, string condition) => $"""
        (select *, row_number() over (order by created_at desc, {key} desc) as n
        from (
            select * from {table}
            where project = $1 and {condition} and created_at <= $7 and (created_at, {key}) < ($7, $8)
            order by created_at desc, {key} desc limit $9) as found) as b
        """;

    static UsageLine Line(NpgsqlDataReader row, LinePlace place)
    {
        var (type, request) = ((LineType)row.GetInt32(5), row.GetGuid(6));
        return new(
            type == LineType.Correction ? Ids.Show(Ids.Transfer, place.Id) : Ids.Show(Ids.Request, request),
            type,
            Ids.Show(Ids.Request, row.IsDBNull(7) ? request : row.GetGuid(7)),
            row.GetFieldValue<DateTimeOffset>(4),
            place.BookedAt,
            row.GetFieldValue<DateTimeOffset>(8),
            row.IsDBNull(9) ? null : Ids.Show(Ids.Customer, row.GetGuid(9)),
            KeyOf(row.GetGuid(10), row.IsDBNull(11) ? null : row.GetGuid(11)),
            row.GetString(12), row.GetString(13), row.GetString(14), row.GetString(15), row.GetBoolean(17), row.GetInt16(20),
            (RequestOutcome)row.GetInt16(21), row.GetInt32(18), row.IsDBNull(19) ? null : row.GetInt32(19), row.GetInt64(22),
            row.GetInt64(23), new(row.GetInt64(24)), new(row.GetInt64(25)), new(row.GetInt64(26)), new(row.GetInt64(27)),
            row.GetBoolean(28), row.IsDBNull(29) ? null : row.GetString(29), row.IsDBNull(16) ? null : row.GetGuid(16))
        {
            Place = place,
        };
    }

    /// <summary>As sums name it.</summary>
    public static string KeyOf(Guid credential, Guid? family) =>
        family is { } session ? Ids.Show(Ids.Session, session) : Ids.Show(Ids.Key, credential);

    static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;

    static DateTimeOffset Later(DateTimeOffset time, TimeSpan by) =>
        time > DateTimeOffset.MaxValue - by ? DateTimeOffset.MaxValue : time + by;
}
