using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// What a customer's requests have used in a counter's cycle that is not counted on it: of all requests from roll-ups, so that it takes as
/// long for a million as for ten, and of those that a selector picks from the usage log, one by one.
/// </summary>
public static class UsedWithoutLimit
{
    /// <summary>A request's id is made when it begins; the day is more than clocks can differ.</summary>
    static readonly TimeSpan IdsBefore = TimeSpan.FromDays(1);

    const string IsBatch = $"reason = '{BatchCost.Reason}'";

    /// <summary>Of a batch. Arrays of SQL begin with 1.</summary>
    static readonly string Lines = $"meters[{(int)Meter.Request + 1}]";

    /// <summary>The log has it.</summary>
    public static bool Has(Unit unit) => unit is Unit.Tokens or Unit.Requests or Unit.UsdLimit;

    public static Task<long> SumAsync(NpgsqlDataSource database, CounterScope scope, CounterOpening counter, CancellationToken token) =>
        counter.Only is null
            ? FromRollupsAsync(database, scope, counter, token)
            : FromLogAsync(database, scope.Customer, counter, token);

    /// <summary>
    /// As proxies count it. Of money it is what a wallet paid, or the cost where nothing pays: neither a wallet nor quota nor credits. A
    /// batch is as many requests as it has lines.
    /// </summary>
    static string OfRow(Unit unit) => unit switch
    {
        Unit.Tokens => "input_tokens(meters) + output_tokens(meters)",
        Unit.Requests => $"""
            case when {IsBatch} then {Lines} else (cost > 0 or input_tokens(meters) + output_tokens(meters) > 0)::int end
            """,
        _ => "cost - absorbed - covered",
    };

    static string OfSums(Unit unit) => unit switch
    {
        Unit.Tokens => "input + output",
        Unit.Requests => "requests - failed",
        _ => "cost - absorbed - covered",
    };

    /// <summary>
    /// What money paid less, or more, for requests that name the counter than was counted on it: what a lease that had ended could not pay,
    /// and corrections. There are few of either.
    /// </summary>
    const string CountedAndNotPaid = """
        union all
        select counts[array_position(counted, $8)] - (cost - absorbed - covered) - coalesce((
            select sum(new_cost - old_cost - c.absorbed - c.covered) from correction c where c.request_id = named.request_id), 0)::bigint
        from (
            select request_id from usage_record where customer = $4 and started_at >= $7 and absorbed > 0
            union
            select request_id from correction where customer = $4 and created_at >= $7) as differing, lateral (
            select * from usage_record where request_id = differing.request_id and request_id >= $10 offset 0) as named
        where customer = $4 and counted @> array[$8]
        """;

    /// <summary>
    /// Corrections that the sums count in the cycle, because they came a day or more after their requests, which an earlier cycle has
    /// counted. What goes back of a batch of yesterday is no use of today.
    /// </summary>
    const string OfEarlierCycles = """
        union all
        select -(new_cost - old_cost - c.absorbed - c.covered)
        from correction c, lateral (
            select started_at, created_at, counted from usage_record where request_id = c.request_id offset 0) as earlier
        where c.customer = $4 and c.created_at >= $9 and earlier.started_at <= c.created_at - interval '24 hours'
            and earlier.started_at < $7
            and (earlier.started_at > earlier.created_at - interval '24 hours' or earlier.created_at < $7)
            and (counted @> array[$8]) is not true
        """;

    /// <summary>
    /// All that was used, without what the counter has been told of: the rows that name it and its opening before. Both are of one moment.
    /// What is not summed up yet is read from the log, and so is a quarter of an hour that the cycle's beginning cuts.
    /// </summary>
    static async Task<long> FromRollupsAsync(
        NpgsqlDataSource database, CounterScope scope, CounterOpening counter, CancellationToken token)
    {
        var (from, unit) = (counter.Term.From.ToUniversalTime(), counter.Term.Unit);
        var times = RollupTimes.Of(from, counter.Term.To);
        var besides = unit switch
        {
            // The other lines of a batch. Its own row is one request of the sums.
            Unit.Requests => $"""
                union all select {Lines} - 1 from usage_record where customer = $4 and started_at >= $9 and {IsBatch}
                """,
            Unit.UsdLimit => $"{CountedAndNotPaid}\n{OfEarlierCycles}",
            _ => "",
        };
        return await database.ByIndexAsync(async connection =>
        {
            await using var query = connection.Sql($"""
                select coalesce(sum(used), 0)::bigint
                    - coalesce((select posted + unposted_of(id) from account where id = $8), 0)
                    + coalesce((select amount from counter_opening where register = $8), 0)
                from (
                    select {OfSums(unit)} as used from (
                        select {BookedUsage.Days}::smallint as grain, unnest($5::timestamptz[]) as at
                        union all select {BookedUsage.Quarters}::smallint, unnest($6::timestamptz[])) as whole,
                        lateral (
                            select * from rollup where project = $1 and test = $2 and grain = whole.grain
                                and dimension = {(short)RollupDimension.Customer} and at = whole.at and value = $3 offset 0) as sums
                    union all
                    select {OfSums(unit)} from ({BookedUsage.Of()}) as booked
                    where project = $1 and test = $2 and customer = $4 and created_at >= (select until from summed)
                        and at >= $9 and at < $11
                    union all
                    select {OfRow(unit)} from usage_record
                    where customer = $4 and started_at >= $7 and started_at < $9 and request_id >= $10
                        and started_at <= created_at and started_at > created_at - interval '24 hours'
                    {besides}) as every
                """,
                scope.Project, scope.Test, Ids.Show(Ids.Customer, scope.Customer), scope.Customer, times.Days, times.Quarters, from,
                counter.Register, times.Begin, Ids.FirstAt(from - IdsBefore), times.End);
            return (long)(await query.ExecuteScalarAsync(token))!;
        }, token);
    }

    /// <summary>The rows that name the counter are in it already.</summary>
    static async Task<long> FromLogAsync(NpgsqlDataSource database, Guid customer, CounterOpening counter, CancellationToken token)
    {
        var (from, to) = (counter.Term.From.ToUniversalTime(), counter.Term.To.ToUniversalTime());
        await using var query = database.Sql($"""
            select model, provider, credential, sum({OfRow(counter.Term.Unit)})::bigint from usage_record
            where customer = $1 and started_at >= $2 and started_at < $3 and request_id >= $4
                and (counted is null or counted @> array[$5] is false)
            group by model, provider, credential
            """, customer, from, to, Ids.FirstAt(from - IdsBefore), counter.Register);
        query.CommandTimeout = 0; // until it is cancelled
        var sum = 0L;
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
        {
            var (model, provider) = (row.GetString(0), row.GetString(1));
            if (counter.Only!.Matches([model, $"{provider}/{model}"], row.GetGuid(2)))
                sum = checked(sum + row.GetInt64(3));
        }
        return sum;
    }
}
