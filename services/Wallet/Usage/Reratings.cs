using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/reratings</c>: prices a past period of a project's model anew. Each request whose cost changes gets a correcting
/// movement. Its usage record stays, and a row of <c>correction</c> records the change. A (re-rating, request) is corrected once, page by
/// page; repeating an interrupted call continues it.
/// </summary>
public static class Reratings
{
    const int PageSize = 500;

    /// <summary>Most requests of one re-rating. A longer period is done in parts.</summary>
    const long MaxRequests = 1_000_000;

    /// <param name="Id">Chosen by the caller; the same id continues the same re-rating.</param>
    /// <param name="From">Requests that the ledger booked from then on. <paramref name="To"/> is excluded and must have passed.</param>
    /// <param name="DryRun">Only say what would change.</param>
    public sealed record Request(
        Guid Id,
        Guid Project,
        bool Test,
        string Model,
        DateTimeOffset From,
        DateTimeOffset To,
        Guid PriceVersion,
        Prices Prices,
        bool DryRun = false);

    /// <param name="Planned">All requests of the period; null when the re-rating was finished before.</param>
    /// <param name="Booked">What this re-rating has moved; null in a dry run.</param>
    public sealed record Report(Guid Id, bool DryRun, Plan? Planned, Corrections? Booked);

    public sealed record Plan(long Requests, long Changed, Money CostBefore, Money CostAfter);

    /// <summary>The last three are together what all costs have changed by.</summary>
    /// <param name="Charged">What wallets paid in addition; negative for what they got back. <paramref name="Absorbed"/>: the same for what
    /// the house bore. <paramref name="Covered"/>: the same for requests that quota or credits had paid.</param>
    public sealed record Corrections(long Requests, Money Charged, Money Absorbed, Money Covered);

    sealed record Row(Guid RequestId, DateTimeOffset At, Guid Organization, Guid? Customer, long OldCost, long NewCost, bool Done);

    public static void MapReratings(this WebApplication app) => app.MapPost("/internal/reratings", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, Writer writer)
    {
        var request = await Body.ReadAsync<Request>(http);
        // A request that is booked behind a page that was read already would be missed: a finished re-rating never looks again.
        if (request.From >= request.To || request.To > await ClockLock.BookedUntilAsync(database, http.RequestAborted))
            return Problems.Invalid("to", "'to' must be later than 'from' and not in the future.");
        if (PriceBounds.Outside(request.Prices, "prices").FirstOrDefault() is { } outside)
            return Problems.Invalid(outside, $"'{outside}' {PriceBounds.Rule}.");
        if (!await IsKeptAsync(request.From, database, http.RequestAborted))
            return Problems.Invalid("from", "'from' is in a month whose usage log is not kept any more.");
        return Results.Json(await RunAsync(request, database, writer, http.RequestAborted), Defaults.Json);
    }

    /// <summary>The log has everything that was booked from then on.</summary>
    internal static async Task<bool> IsKeptAsync(DateTimeOffset from, NpgsqlDataSource database, CancellationToken token)
    {
        await using var query = database.Sql(
            "select not exists (select from usage_month where closed and (month + interval '1 month') at time zone 'UTC' > $1)",
            from.ToUniversalTime());
        return await query.ExecuteScalarAsync(token) is true;
    }

    static async Task<Report> RunAsync(Request request, NpgsqlDataSource database, Writer writer, CancellationToken token)
    {
        // All requests are priced before anything is moved, so that a meter without a price cannot leave the period half done.
        var plan = new Plan(0, 0, Money.Zero, Money.Zero);
        await foreach (var page in PagesAsync(request, database, token))
        {
            plan = Add(plan, page);
            if (plan.Requests > MaxRequests)
                throw new ProblemException(
                    Problems.Invalid("from", $"The period from 'from' has more than {MaxRequests} requests: do it in parts."));
        }
        if (request.DryRun)
            return new(request.Id, true, plan, null);
        if (await IsFinishedAsync(request, database, token))
            return new(request.Id, false, null, await BookedAsync(request.Id, database, token));

        await foreach (var page in PagesAsync(request, database, token))
            await writer.RunAsync([.. page.Where(row => !row.Done && row.NewCost != row.OldCost).Select(row => new Rerate(
                request.Id,
                row.RequestId,
                row.Customer is { } customer ? Ids.WalletOf(customer) : null,
                row.Organization,
                request.Project,
                request.Test,
                request.PriceVersion,
                row.NewCost))]);
        await using var finish = database.Sql("update rerating set finished_at = now() where id = $1", request.Id);
        await finish.ExecuteNonQueryAsync(token);
        return new(request.Id, false, plan, await BookedAsync(request.Id, database, token));
    }

    static Plan Add(Plan plan, List<Row> page) => new(
        plan.Requests + page.Count,
        plan.Changed + page.Count(row => row.OldCost != row.NewCost),
        new(plan.CostBefore.Nanos + page.Sum(row => row.OldCost)),
        new(plan.CostAfter.Nanos + page.Sum(row => row.NewCost)));

    /// <summary>Records the re-rating, once. Throws a 409 when the id was used for another one.</summary>
    static async Task<bool> IsFinishedAsync(Request request, NpgsqlDataSource database, CancellationToken token)
    {
        object[] values =
        [
            request.Id, request.Project, request.Test, request.Model, request.From, request.To, request.PriceVersion,
            JsonSerializer.Serialize(request.Prices, Defaults.Json),
        ];
        await using var start = database.Sql("""
            insert into rerating (id, project, test, model, starts_at, ends_at, price_version, prices)
            values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing
            """, values);
        await start.ExecuteNonQueryAsync(token);
        await using var query = database.Sql("""
            select finished_at is not null from rerating
            where (id, project, test, model, starts_at, ends_at, price_version, prices) = ($1, $2, $3, $4, $5, $6, $7, $8)
            """, values);
        return await query.ExecuteScalarAsync(token) as bool?
            ?? throw new ProblemException(
                Problems.Conflict("rerating_differs", "This 'id' belongs to a re-rating of another period, model or price.", "id"));
    }

    /// <summary>
    /// The requests of the period in the order of booking, with their current and their new cost. Failed ones were free and stay free.
    /// Batches are left out, because their records have a bound and no counts to price.
    /// </summary>
    static async IAsyncEnumerable<List<Row>> PagesAsync(
        Request request, NpgsqlDataSource database, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token)
    {
        var (at, last) = (request.From, Guid.Empty);
        for (var page = new List<Row>(PageSize); ; page = new(PageSize))
        {
            await using (var query = database.Sql("""
                select u.request_id, u.created_at, u.organization, u.customer, u.meters,
                    u.cost + coalesce(c.difference, 0)::bigint, coalesce(c.done, false)
                from usage_record u, lateral (
                    select sum(new_cost - old_cost) difference, bool_or(rerating = $8) done
                    from correction where request_id = u.request_id) c
                where u.project = $1 and u.created_at >= $2 and (u.created_at, u.request_id) > ($2, $3) and u.created_at < $4
                    and u.test = $5 and u.model = $6 and u.outcome <> $7 and u.reason is distinct from $10
                order by u.created_at, u.request_id limit $9
                """,
                request.Project, at, last, request.To, request.Test, request.Model,
                (short)RequestOutcome.Failed, request.Id, PageSize, BatchCost.Reason))
            await using (var row = await query.ExecuteReaderAsync(token))
            {
                while (await row.ReadAsync(token))
                {
                    var (cost, done) = (row.GetInt64(5), row.GetBoolean(6));
                    page.Add(new(
                        row.GetGuid(0),
                        row.GetFieldValue<DateTimeOffset>(1),
                        row.GetGuid(2),
                        row.IsDBNull(3) ? null : row.GetGuid(3),
                        cost,
                        done ? cost : Price(row.GetFieldValue<long[]>(4), request.Prices), done));
                }
            }
            if (page.Count > 0)
                yield return page;
            if (page.Count < PageSize)
                yield break;
            (at, last) = (page[^1].At, page[^1].RequestId);
        }
    }

    static long Price(long[] meters, Prices prices)
    {
        try
        {
            return Cost.Of(Usage.From(meters), prices);
        }
        catch (InvalidOperationException e)
        {
            throw new ProblemException(Problems.Invalid("prices", $"'prices' are not enough for a request of the period: {e.Message}."));
        }
    }

    static async Task<Corrections> BookedAsync(Guid rerating, NpgsqlDataSource database, CancellationToken token)
    {
        await using var query = database.Sql("""
            select count(*), coalesce(sum(charged), 0)::bigint, coalesce(sum(absorbed), 0)::bigint, coalesce(sum(covered), 0)::bigint
            from correction where rerating = $1
            """, rerating);
        await using var row = await query.ExecuteReaderAsync(token);
        await row.ReadAsync(token);
        return new(row.GetInt64(0), new(row.GetInt64(1)), new(row.GetInt64(2)), new(row.GetInt64(3)));
    }
}
