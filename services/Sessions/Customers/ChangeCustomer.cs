using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PATCH /v1/customers/{id}</c> <c>{email?, name?, company?, phone?, status?}</c>: null clears a field. A customer that is suspended or
/// blocked cannot call or mint any more within a second; its running requests are ended.
/// </summary>
public static class ChangeCustomer
{
    public static void MapChangeCustomer(this WebApplication app) => app.MapPatch("/v1/customers/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, WalletClient wallet, HotCopies copies, CancellationToken token)
    {
        var caller = http.Backend();
        var body = await CustomerFields.ReadAsync(http, "status");
        if (await CustomerView.FindAsync(db, caller, id, token) is not { } customer)
            return CustomerView.NotFound;

        var hasStatus = body.TryGetProperty("status", out var status);
        // Also when the status is what it was: the call that changed it may have ended before it told anybody.
        await using (hasStatus ? copies.CustomerChanging(customer.Id, db) : null)
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            await db.LockAsync(customer, token);
            var isDeleted = customer.Status == CustomerStatus.Deleted;
            CustomerFields.Apply(body, customer);
            if (isDeleted)
                return CustomerView.Deleted;
            if (hasStatus)
                customer.Status = CustomerFields.Status(status);
            await db.SaveChangesAsync(CancellationToken.None);
            await transaction.CommitAsync(CancellationToken.None);
        }
        return Results.Json(await CustomerView.ReadAsync(customer, wallet, withLedger: false, token), Defaults.Json);
    }
}
