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

        OpenCounters openings;
        // Also when nothing is different: the call that changed it may have ended before it told anybody.
        await using (copies.CustomerChanging(customer.Id, db))
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            await db.LockCustomerAsync(customer.Id, token);
            var added = new List<CustomerLimit>();
            if (await LimitWriter.WriteAsync(db, customer.Id, limits, "", added, token) is { } error)
                throw Refused(error);
            await db.SaveChangesAsync(token);
            openings = LimitOpenings.Of(new(caller.Organization, caller.Project, customer.Id, caller.Test), added, time.GetUtcNow());
            await wallet.OpenCountersAsync(openings with { Later = true }, token);
            Failpoint.Hit("sessions.limits.owed");
            await transaction.CommitAsync(CancellationToken.None);
        }
        Failpoint.Hit("sessions.limits.saved");
        // When proxies have been told: what they let through before is in the usage log, or soon will be.
        await wallet.TryOpenCountersAsync(openings, token);
        return Results.Json(await LimitView.OfNewAsync(db.Limits.Local, wallet, time.GetUtcNow(), token), Defaults.Json);
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
