using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/customers/{id}/limits/{limitId}/raise</c> <c>{amount, until | cycles}</c>: from now on, and until then or until so many
/// cycles have ended, the limit is <c>amount</c>. 1 means until the running cycle ends. The answer is the limit.
/// </summary>
public static class RaiseLimit
{
    /// <summary>Raises of one limit that have not ended.</summary>
    const int MaxRaises = 10;

    const int MaxDays = 366;

    public sealed record Request(DecimalAmount Amount, DateTimeOffset? Until = null, int? Cycles = null);

    public static void MapRaiseLimit(this WebApplication app) =>
        app.MapPost("/v1/customers/{id}/limits/{limitId}/raise", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        string id, string limitId, HttpContext http, SessionsDb db, WalletClient wallet, HotCopies copies, TimeProvider time,
        CancellationToken token)
    {
        var caller = http.Backend();
        var request = await Body.ReadAsync<Request>(http);
        if (await CustomerView.FindAsync(db, caller, id, token) is not { } customer)
            return CustomerView.NotFound;

        CustomerLimit? limit;
        await using (copies.CustomerChanging(customer.Id, db))
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            await db.LockAsync(customer, token);
            if (customer.Status == CustomerStatus.Deleted)
                return CustomerView.Deleted;
            limit = await db.Limits.Include(known => known.Raises)
                .SingleOrDefaultAsync(known => known.CustomerId == customer.Id && known.Id == limitId, token);
            if (limit is null)
                return Problems.NotFound("limit");
            var now = time.GetUtcNow();
            var raise = Read(request, limit, now);
            limit.Raises.RemoveAll(known => known.EndsAt <= now);
            if (limit.Raises.Count >= MaxRaises)
                return Problems.Conflict("too_many_raises", $"A limit may have {MaxRaises} raises at a time. Wait until one has ended.");
            db.Add(raise);
            await db.SaveChangesAsync(token);
            await transaction.CommitAsync(CancellationToken.None);
        }
        return Results.Json((await LimitView.OfNewAsync([limit], wallet, time.GetUtcNow(), token))[0], Defaults.Json);
    }

    /// <summary>Throws a 400 that names the field.</summary>
    public static LimitRaise Read(Request request, CustomerLimit limit, DateTimeOffset now)
    {
        if (LimitRules.AmountError(limit.Unit, request.Amount, out var amount) is { } reason)
            throw Fields.Invalid("amount", reason);
        if (amount <= limit.Amount)
            throw Fields.Invalid("amount", $"must be above the limit's own, {LimitRules.AmountText(limit.Unit, limit.Amount)}");
        return new()
        {
            Id = Ids.New(), CustomerId = limit.CustomerId, LimitId = limit.Id, Amount = amount, StartsAt = now,
            EndsAt = EndOf(request, limit, now),
        };
    }

    static DateTimeOffset EndOf(Request request, CustomerLimit limit, DateTimeOffset now)
    {
        var latest = now.AddDays(MaxDays);
        switch (request)
        {
            case { Until: null, Cycles: null }:
                throw new ProblemException(Problems.Invalid("until", "'until' or 'cycles' is required."));
            case { Until: not null, Cycles: not null }:
                throw Fields.Invalid("cycles", "stands instead of 'until', not beside it");
            case { Until: { } until }:
                return until > now && until <= latest
                    ? until.ToUniversalTime()
                    : throw Fields.Invalid("until", $"must be in the next {MaxDays} days");
            default:
                if (request.Cycles < 1)
                    throw Fields.Invalid("cycles", "must be above 0");
                var (end, rule) = (now, LimitRules.CycleOf(limit));
                for (var i = 0; i < request.Cycles && end <= latest; i++)
                    end = Cycles.Of(rule, end).To;
                return end <= latest ? end : throw Fields.Invalid("cycles", $"must end in the next {MaxDays} days");
        }
    }
}
