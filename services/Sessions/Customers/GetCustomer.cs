using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary><c>GET /v1/customers/{id}</c>: one customer with its wallet, the last 20 ledger entries, its plan and its rates.</summary>
public static class GetCustomer
{
    public static void MapGetCustomer(this WebApplication app) => app.MapGet("/v1/customers/{id}", HandleAsync).WithQuery();

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, WalletClient wallet, TimeProvider time, CancellationToken token)
    {
        if (await CustomerView.FindAsync(db, http.Backend(), id, token) is not { } customer)
            return CustomerView.NotFound;
        var rates = new PutRates.Rates(customer.RequestsPerMinute, customer.TokensPerMinute, customer.Concurrent);
        return Results.Json(await CustomerView.ReadAsync(customer, wallet, withLedger: true, token) with
        {
            Plan = await PlanView.ReadAsync(db, wallet, customer.Id, time.GetUtcNow(), token),
            Rates = rates == new PutRates.Rates() ? null : rates,
        }, Defaults.Json);
    }
}
