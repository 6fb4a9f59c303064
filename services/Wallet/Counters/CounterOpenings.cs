using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/counters/openings</c>: counters get what was used in their cycle that a limit would have counted and that does not
/// name them, because it was not there. What was found stands in <c>counter_opening</c>, so that asking again adds only what is new. The
/// answer never waits for long: <see cref="OwedOpenings"/> does what it leaves undone.
/// </summary>
public static class CounterOpenings
{
    /// <summary>Less than Sessions waits for an attempt.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public static void MapCounterOpenings(this WebApplication app) => app.MapPost("/internal/counters/openings", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, ILogger<OwedOpenings> log)
    {
        var request = await Body.ReadAsync<OpenCounters>(http);
        if (request.Counters.Count > LimitLine.MaxPerCustomer)
            return Problems.Invalid("counters", $"at most {LimitLine.MaxPerCustomer} counters at once");
        if (request.Counters.Any(counter => !UsedWithoutLimit.Has(counter.Term.Unit) || counter.Term.Kind != AccountKind.Limit))
            return Problems.Invalid("counters", "only limits of tokens, requests and usd count what the usage log has");
        await OweAsync(database, request, http.RequestAborted);
        Failpoint.Hit("wallet.openings.owed");
        if (!request.Later)
            await TryOpenAsync(database, request, log, http.RequestAborted);
        return Results.Json(new { }, Defaults.Json);
    }

    static async Task OweAsync(NpgsqlDataSource database, OpenCounters request, CancellationToken token)
    {
        var asked = request.Counters.Select(counter => JsonSerializer.Serialize(request with { Counters = [counter] }, Defaults.Json));
        await using var owe = database.Sql("""
            insert into owed_opening (register, asked, due_at) select register, asked::jsonb, now() + $3
            from unnest($1::uuid[], $2::text[]) as new (register, asked) order by register
            on conflict (register) do update set asked = excluded.asked, attempts = 0, due_at = excluded.due_at
            """, request.Counters.Select(counter => counter.Register).ToArray(), asked.ToArray(), OwedOpenings.After);
        await owe.ExecuteNonQueryAsync(token);
    }

    /// <summary>Does as much as there is time for.</summary>
    static async Task TryOpenAsync(NpgsqlDataSource database, OpenCounters request, ILogger log, CancellationToken token)
    {
        using var patience = token.WithTimeout(Patience);
        try
        {
            foreach (var counter in request.Counters)
                await OpenAsync(database, request.Scope, counter, patience.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            log.LogInformation("what customer {Customer} has used is being counted for its new limits", request.Scope.Customer);
        }
    }

    public static async Task OpenAsync(NpgsqlDataSource database, CounterScope scope, CounterOpening counter, CancellationToken token)
    {
        if (await UsedWithoutLimit.SumAsync(database, scope, counter, token) is > 0 and var sum)
            await AddAsync(database, scope, counter, sum, token);
    }

    /// <summary>The account's lock comes first: two that open the same counter must not both see what it had before.</summary>
    static async Task AddAsync(
        NpgsqlDataSource database, CounterScope scope, CounterOpening counter, long sum, CancellationToken token)
    {
        var (register, term) = (counter.Register, counter.Term);
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        await connection.RunAsync("""
            insert into account (id, kind, unit, organization, project, owner, test, ceiling, ends_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing
            """,
            token,
            register, (short)term.Kind, (short)term.Unit, scope.Organization, scope.Project, scope.Customer, scope.Test, term.Ceiling,
            term.Resets.ToUniversalTime());
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
