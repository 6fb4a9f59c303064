using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /v1/customers/{id}/limits</c> <c>[{id?, unit, amount, cycle, anchor?, timeZone?, selector?}]</c>: these are all the limits of the
/// customer from now on, or, when one of them is refused, nothing changes. The answer is that of <c>GET</c>.
/// </summary>
public static class PutLimits
{
    public static void MapPutLimits(this WebApplication app) => app.MapPut("/v1/customers/{id}/limits", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, WalletClient wallet, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        var limits = await Body.ReadAsync<IReadOnlyList<LimitRequest>>(http);
        MustBeRight(limits);
        if (await CustomerView.FindAsync(db, caller, id, token) is not { } customer)
            return CustomerView.NotFound;
        if (customer.Status == CustomerStatus.Deleted)
            return CustomerView.Deleted;

        var (scope, now) = (new CounterScope(caller.Organization, caller.Project, customer.Id, caller.Test), time.GetUtcNow());
        Task<OpenCounters> WriteAsync() => AddedAsync(db, scope, limits, now, token);
        var (openings, added) = (new OpenCounters(scope, []), await WriteAsync());
        for (var isSaved = false; !isSaved;)
        {
            // Wallet is told outside of the transaction: while it hangs, nobody waits for it with a connection to the database. A limit
            // that another call has removed meanwhile is told in a further round, so that there are no more rounds than limits.
            openings = openings with { Counters = [.. openings.Counters.UnionBy(added.Counters, counter => counter.Register)] };
            await wallet.OpenCountersAsync(openings with { Later = true }, token);
            Failpoint.Hit("sessions.limits.owed");
            db.ChangeTracker.Clear();
            db.Attach(customer);
            // Also when nothing is different: the call that changed it may have ended before it told anybody.
            await using (copies.CustomerChanging(customer.Id, db))
            await using (var transaction = await db.Database.BeginTransactionAsync(token))
            {
                await db.LockAsync(customer, token);
                if (customer.Status == CustomerStatus.Deleted)
                    return CustomerView.Deleted;
                added = await WriteAsync();
                isSaved = added.Counters.All(counter => openings.Counters.Any(owed => owed.Register == counter.Register));
                if (!isSaved)
                    continue;
                await db.SaveChangesAsync(token);
                await transaction.CommitAsync(CancellationToken.None);
            }
        }
        Failpoint.Hit("sessions.limits.saved");
        // When proxies have been told: what they let through before is in the usage log, or soon will be.
        await wallet.TryOpenCountersAsync(added, token);
        return Results.Json(await LimitView.OfNewAsync(db.Limits.Local, wallet, time.GetUtcNow(), token), Defaults.Json);
    }

    /// <summary>Writes the limits without saving them. Throws a 400 for the first mistake that only the database shows.</summary>
    /// <returns>The counters of those that count something new.</returns>
    static async Task<OpenCounters> AddedAsync(
        SessionsDb db, CounterScope scope, IReadOnlyList<LimitRequest> limits, DateTimeOffset now, CancellationToken token)
    {
        var added = new List<CustomerLimit>();
        return await LimitWriter.WriteAsync(db, scope.Customer, limits, "", added, ofSeed: false, token) is { } error
            ? throw Refused(error)
            : LimitOpenings.Of(scope, added, now);
    }

    /// <summary>Throws a 400 for the first mistake that can be seen without the database.</summary>
    public static void MustBeRight(IReadOnlyList<LimitRequest> limits)
    {
        foreach (var error in LimitRules.Errors(limits, ""))
            throw Refused(error);
    }

    /// <summary>What is wrong with the list itself has no path.</summary>
    static ProblemException Refused((string Path, string Reason) error) => error.Path.Length == 0
        ? new(Problems.Invalid(null, $"The list {error.Reason}."))
        : Fields.Invalid(error.Path, error.Reason);
}
