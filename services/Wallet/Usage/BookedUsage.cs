namespace LlmGateway.Wallet;

/// <summary>The number is stored, so it must never change. Each of them but the total splits it without a rest.</summary>
public enum RollupDimension : short { Total = 0, Model = 1, Provider = 2, Endpoint = 3, Customer = 4, Key = 5 }

/// <summary>
/// What each row of the usage log, and each correction, adds to sums, and in which quarter of an hour. Whoever makes, reads or proves sums
/// says it by these queries.
/// </summary>
static class BookedUsage
{
    /// <summary>The grains of <c>rollup</c>, as stored.</summary>
    public const string Quarters = "0", Days = "1";

    /// <summary>Rows of <c>rollup</c> that are every request's quarter of an hour, once.</summary>
    public static readonly string OfAll = $"grain = {Quarters} and dimension = {(short)RollupDimension.Total}";

    /// <summary>
    /// <c>requests</c> are without failed attempts of which another provider went on with the request, <c>attempts</c> are rows of the log,
    /// <c>late</c> those that count in the time of their booking, because their own was over for a day.
    /// </summary>
    public static readonly string[] Figures =
        ["requests", "failed", "attempts", "input", "output", "cost", "charged", "absorbed", "covered", "late"];

    /// <summary>What the proof needs of a month.</summary>
    public static readonly string[] OfMonths = Figures[..^1];

    public static readonly string Columns = Listed(Figures);

    public static readonly string Summed = Sums(Figures);

    public static string Listed(string[] figures) => string.Join(", ", figures);

    public static string Sums(string[] figures) => string.Join(", ", figures.Select(figure => $"sum({figure})::bigint as {figure}"));

    /// <summary>Of an upsert of sums.</summary>
    public static string Added(string table, string[] figures) =>
        string.Join(", ", figures.Select(figure => $"{figure} = {table}.{figure} + excluded.{figure}"));

    /// <summary>
    /// When what was booked counts. A request counts where it began, for a day. A quarter of an hour that has been over for a day does not
    /// change any more, and one that has not come yet has no rows: then the time of the booking counts.
    /// </summary>
    public const string Moment = """
        case
            when started_at > b.created_at - interval '24 hours' and started_at <= b.created_at then started_at else b.created_at
            end
        """;

    const string At = $"date_bin('15 minutes', {Moment}, 'epoch') as at";

    /// <summary>
    /// Rows of these tables. A correction looks up its own request: with statistics from before there was much, PostgreSQL would read the
    /// whole log for it.
    /// </summary>
    public static string Of(string log = "usage_record", string corrections = "correction") => $"""
        select request_id, created_at, {At}, project, test, model, provider, endpoint, customer, credential, family,
            (attempt_of is null)::int as requests, (attempt_of is null and outcome = 3)::int as failed, 1 as attempts,
            input_tokens(meters) as input, output_tokens(meters) as output, cost, charged, absorbed, covered,
            (started_at <= created_at - interval '24 hours')::int as late
        from {log} as b
        union all
        select b.request_id, b.created_at, {At}, u.project, test, model, provider, endpoint, u.customer, credential, family,
            0, 0, 0, 0, 0, new_cost - old_cost, b.charged, b.absorbed, b.covered, 0
        from {corrections} as b, lateral (select * from public.usage_record where request_id = b.request_id offset 0) as u
        """;

    /// <summary>The month of each, as long as its rows are kept. There are few, so they are looked through and not up.</summary>
    public const string WithMonth = """
        join (select month, from_id, to_id from usage_month where requests is null offset 0) as months
            on request_id >= from_id and request_id < to_id
        """;

    /// <summary>
    /// The same in sums by quarter of an hour, dimension and value, where the condition holds. What differs in nothing is added up before
    /// it is counted once for each dimension.
    /// </summary>
    public static string SumsWhere(string condition) => $"""
        select project, test, at, dimension, value, {Summed}
        from (
            select project, test, at, model, provider, endpoint, customer, credential, family, {Summed} from ({Of()}) as booked
            where {condition} group by project, test, at, model, provider, endpoint, customer, credential, family) as alike,
            lateral (values
                ({(short)RollupDimension.Total}::smallint, '' collate "C"),
                ({(short)RollupDimension.Model}, model),
                ({(short)RollupDimension.Provider}, provider),
                ({(short)RollupDimension.Endpoint}, endpoint),
                ({(short)RollupDimension.Customer}, coalesce('cus_' || replace(customer::text, '-', ''), '')),
                ({(short)RollupDimension.Key}, replace(coalesce('ses_' || family, 'key_' || credential), '-', '')))
                as by (dimension, value)
        group by project, test, at, dimension, value
        """;
}
