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
        string id, HttpContext http, SessionsDb db, RegistersClient wallet, HotCopies copies, CancellationToken token)
    {
        var caller = http.Backend();
        var body = await CustomerFields.ReadAsync(http);
        if (await CustomerView.FindAsync(db, caller, id, token) is not { } customer)
            return CustomerView.NotFound;

        var before = customer.Status;
        CustomerFields.Apply(body, customer, "status");
        if (before == CustomerStatus.Deleted)
            return Problems.Conflict("customer_deleted", "A deleted customer cannot be changed.");
        if (body.TryGetProperty("status", out var status))
            customer.Status = CustomerFields.Status(status);

        await db.SaveChangesAsync(token);
        if (customer.Status != before)
            await copies.CustomerChangedAsync(customer.Id, db);
        return Results.Json(await CustomerView.ReadAsync(customer, wallet, withLedger: false, token), Defaults.Json);
    }
}
