using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /v1/customers/{id}/rates</c> <c>{requestsPerMinute?, tokensPerMinute?, concurrent?}</c>: these are the customer's rates from now
/// on. What is absent is not limited. <c>concurrent</c> counts requests that run. The answer is what was set.
/// </summary>
public static class PutRates
{
    public sealed record Rates(int? RequestsPerMinute = null, int? TokensPerMinute = null, int? Concurrent = null);

    public static void MapPutRates(this WebApplication app) => app.MapPut("/v1/customers/{id}/rates", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token)
    {
        var caller = http.Backend();
        var rates = await Body.ReadAsync<Rates>(http);
        Fields.MustBeCount(rates.RequestsPerMinute, "requestsPerMinute");
        Fields.MustBeCount(rates.TokensPerMinute, "tokensPerMinute");
        Fields.MustBeCount(rates.Concurrent, "concurrent");
        if (await CustomerView.FindAsync(db, caller, id, token) is not { } customer)
            return CustomerView.NotFound;

        // Also when nothing is different: the call that changed it may have ended before it told anybody.
        await using (copies.CustomerChanging(customer.Id, db))
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            await db.LockAsync(customer, token);
            if (customer.Status == CustomerStatus.Deleted)
                return CustomerView.Deleted;
            customer.RequestsPerMinute = rates.RequestsPerMinute;
            customer.TokensPerMinute = rates.TokensPerMinute;
            customer.Concurrent = rates.Concurrent;
            await db.SaveChangesAsync(CancellationToken.None);
            await transaction.CommitAsync(CancellationToken.None);
        }
        return Results.Json(rates, Defaults.Json);
    }
}
