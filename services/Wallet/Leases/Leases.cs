using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Routes of leases: <c>POST /internal/leases</c>, <c>/internal/leases/return</c>, <c>/internal/leases/renew</c>.
/// </summary>
public static class Leases
{
    public static void MapLeases(this WebApplication app)
    {
        app.MapPost("/internal/leases", async (HttpContext http, Writer writer, Recalls recalls) =>
        {
            var request = await Body.ReadAsync<LeaseRequest>(http);
            return Check(request)
                ?? Results.Json(AnswerOf(await ExtendAsync(request, writer, recalls, http.RequestAborted)), Defaults.Json);
        });
        app.MapPost("/internal/leases/return", async (HttpContext http, Writer writer) =>
        {
            await writer.RunAsync(new GiveBack(await Body.ReadAsync<LeaseReturn>(http)));
            Failpoint.Hit("wallet.lease.returned");
            return Results.NoContent();
        });
        app.MapPost("/internal/leases/renew", async (HttpContext http, NpgsqlDataSource database) =>
        {
            var renewal = await Body.ReadAsync<LeaseRenewal>(http);
            if (renewal.Leases.Count > LeaseRenewal.MaxLeases)
                return Problems.Invalid("leases", $"at most {LeaseRenewal.MaxLeases} leases at once");
            var renewed = await RenewAsync(database, renewal, http.RequestAborted);
            Failpoint.Hit("wallet.lease.renewed");
            return Results.Json(renewed, Defaults.Json);
        });
    }

    /// <summary>
    /// Extends a lease. It gives less than the first request needs, or passes a source, only after every other holder has returned what is
    /// idle. One recall per register runs at a time: two would take from each other what together suffices for one.
    /// </summary>
    static async Task<Answer> ExtendAsync(LeaseRequest request, Writer writer, Recalls recalls, CancellationToken token)
    {
        var answer = await writer.RunAsync(new Extend(request) { InUse = recalls.InUse(request) });
        if (answer is not Answer.Shortage { Registers: var registers })
            return answer;
        Failpoint.Hit("wallet.lease.shortage");
        using var turn = await recalls.TurnAsync(registers, token);
        await recalls.PostUsesAsync(writer, registers, token);
        answer = await writer.RunAsync(new Extend(request) { InUse = recalls.InUse(request) });
        if (answer is not Answer.Shortage shortage)
            return answer;
        await recalls.CallBackAsync(shortage.Registers, request.Lease, token);
        Failpoint.Hit("wallet.lease.recalled");
        answer = await writer.RunAsync(new Extend(request));
        if (answer is not Answer.Shortage still)
        {
            recalls.FoundIdle(shortage.Registers);
            return answer;
        }
        if (still.Room <= shortage.Room)
            recalls.FoundInUse(still.Registers);
        else
            recalls.FoundIdle(still.Registers);
        return await writer.RunAsync(new Extend(request, Final: true));
    }

    static Problem? Check(LeaseRequest request)
    {
        if (request.Lines.Count is 0 or > LeaseRequest.MaxLines)
            return Problems.Invalid("lines", $"a lease has 1 to {LeaseRequest.MaxLines} lines");
        if (request.Fence < 1)
            return Problems.Invalid("fence", "must be 1 or more");
        if (request.FirstSource is < 0 || request.FirstSource > request.Lines.Count)
            return Problems.Invalid("firstSource", "must be the index of a line, or their number");
        if (request.Scope is null && request.Lines.Any(line => line.Counter is not null))
            return Problems.Invalid("scope", "must say whose the counters are");
        if (request.Lines.Any(line => line.Counter is { } counter && !counter.Kind.IsCounter()))
            return Problems.Invalid("lines", "only counters have a ceiling");
        if (request.Lines.DistinctBy(line => line.Register).Count() != request.Lines.Count)
            return Problems.Invalid("lines", "each register once");
        return request.Lines.Any(line => line.Minimum < 0 || line.First < line.Minimum || line.All < line.First || line.Wanted < line.All
                || line.Idle < 0)
            ? Problems.Invalid("lines", "0 ≤ minimum ≤ first ≤ all ≤ wanted and 0 ≤ idle must hold")
            : null;
    }

    /// <summary>What a holder is told.</summary>
    public static LeaseAnswer AnswerOf(Answer answer) => answer switch
    {
        Answer.Granted granted => new(granted.Amounts, null)
        {
            Empty = granted.Empty, UsedUp = granted.UsedUp, Now = granted.Now, LotsExpireAt = granted.LotsExpireAt,
        },
        Answer.Refused refused =>
            new(null, new(refused.Register, refused.Reason, refused.Available)
            {
                Held = refused.Held, Busy = refused.Busy, Over = refused.Over,
            })
            {
                Now = refused.Now,
            },
        _ => throw new InvalidOperationException($"a lease request was answered with {answer}"),
    };

    /// <summary>
    /// Locks leases in id order, like the writer, so that the two cannot deadlock. Leases of a frozen wallet are renewed, too, because what
    /// runs is paid from them. The answer names them, so that their holder admits nothing more on them, also where it missed the push.
    /// </summary>
    static Task<RenewedLeases> RenewAsync(
        NpgsqlDataSource database, LeaseRenewal renewal, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var renew = connection.Sql("""
            with alive as (select id from lease where id = any($1) and holder = $2 and not expired order by id for update)
            update lease set expires_at = now() + $3 * interval '1 second' from alive where lease.id = alive.id
            returning lease.id, exists (select from account where account.id = any(accounts) and frozen)
            """,
            renewal.Leases.ToArray(),
            renewal.Holder,
            renewal.HandedOver ? LeaseRenewal.HandoverSeconds : LeaseRequest.TtlSeconds);
        var (renewed, frozen) = (new List<Guid>(renewal.Leases.Count), new List<Guid>());
        await using var reader = await renew.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
        {
            renewed.Add(reader.GetGuid(0));
            if (reader.GetBoolean(1))
                frozen.Add(reader.GetGuid(0));
        }
        return new RenewedLeases(renewed, frozen);
    }, token);
}
