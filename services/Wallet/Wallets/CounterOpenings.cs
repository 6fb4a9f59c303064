using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/counters/openings</c>: counters get what the usage log says of requests of their cycle that a limit would have counted
/// and that do not name them, because it was not there. A request counts once: the rows that name a counter are in it already. What was
/// found stands in <c>counter_opening</c>, so that asking again adds only what is new.
/// </summary>
public static class CounterOpenings
{
    /// <summary>A request's id is made when it begins; the day is more than clocks can differ.</summary>
    static readonly TimeSpan IdsBefore = TimeSpan.FromDays(1);

    public static void MapCounterOpenings(this WebApplication app) => app.MapPost("/internal/counters/openings", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database)
    {
        var request = await Body.ReadAsync<OpenCounters>(http);
        if (request.Counters.Count > OpenCounters.MaxCounters)
            return Problems.Invalid("counters", $"at most {OpenCounters.MaxCounters} counters at once");
        if (request.Counters.Any(counter => ColumnOf(counter.Term.Unit) is null || counter.Term.Kind != AccountKind.Limit))
            return Problems.Invalid("counters", "only limits of tokens, requests and usd count what the usage log has");
        foreach (var counter in request.Counters)
            if (await SumAsync(database, request.Scope.Customer, counter, http.RequestAborted) is > 0 and var sum)
                await OpenAsync(database, request.Scope, counter, sum, http.RequestAborted);
        return Results.Json(new { }, Defaults.Json);
    }

    /// <summary>As proxies count it: what a wallet paid, or the cost where none does. Null for what the log does not have.</summary>
    static string? ColumnOf(Unit unit) => unit switch
    {
        Unit.Tokens => "tokens",
        Unit.Requests => "(cost > 0 or tokens > 0)::int",
        Unit.UsdLimit => "case when charged + absorbed + covered = 0 then cost else charged end",
        _ => null,
    };

    static async Task<long> SumAsync(NpgsqlDataSource database, Guid customer, CounterOpening counter, CancellationToken token)
    {
        var (from, to) = (counter.Term.From.ToUniversalTime(), counter.Term.To.ToUniversalTime());
        await using var query = database.Sql($"""
            select model, provider, credential, sum({ColumnOf(counter.Term.Unit)})::bigint
            from (
                select *, input_tokens(meters) + output_tokens(meters) as tokens from usage_record
                where customer = $1 and started_at >= $2 and started_at < $3 and request_id >= $4
                    and (counted is null or counted @> array[$5] is false)) as uncounted
            group by model, provider, credential
            """, customer, from, to, Ids.FirstAt(from - IdsBefore), counter.Register);
        var sum = 0L;
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
        {
            var (model, provider) = (row.GetString(0), row.GetString(1));
            if (counter.Only?.Matches([model, $"{provider}/{model}"], row.GetGuid(2)) != false)
                sum = checked(sum + row.GetInt64(3));
        }
        return sum;
    }

    /// <summary>The account's lock comes first: two that open the same counter must not both see what it had before.</summary>
    static async Task OpenAsync(
        NpgsqlDataSource database, LeaseScope scope, CounterOpening counter, long sum, CancellationToken token)
    {
        var (register, term) = (counter.Register, counter.Term);
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync("""
            insert into account (id, kind, unit, organization, project, owner, test, ceiling, ends_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing
            """,
            token,
            register, (short)term.Kind, (short)term.Unit, scope.Organization, scope.Project, scope.Customer, scope.Test, term.Ceiling,
            term.To.ToUniversalTime());
        await connection.RunAsync("select from account where id = $1 for update", token, register);
        await connection.RunAsync("""
            with known as (select coalesce((select amount from counter_opening where register = $1), 0) as amount),
            opening as (
                insert into counter_opening (register, amount) select $1, $2 from known where $2 > known.amount
                on conflict (register) do update set amount = excluded.amount)
            update account set posted = posted + $2 - known.amount from known where id = $1 and $2 > known.amount
            """, token, register, sum);
        await transaction.CommitAsync(token);
    }
}
