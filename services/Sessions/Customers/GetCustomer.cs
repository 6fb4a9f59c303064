using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary><c>GET /v1/customers/{id}</c>: one customer with its wallet and the last 20 ledger entries.</summary>
public static class GetCustomer
{
    public static void MapGetCustomer(this WebApplication app) => app.MapGet("/v1/customers/{id}",
        async (string id, HttpContext http, SessionsDb db, WalletClient wallet, CancellationToken token) =>
            await CustomerView.FindAsync(db, http.Backend(), id, token) is { } customer
                ? Results.Json(await CustomerView.ReadAsync(customer, wallet, withLedger: true, token), Defaults.Json)
                : CustomerView.NotFound);
}
