using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/customers/{id}/balances</c>: <c>{balances: [{type, count}], tokenization}</c>, what the customer has of call credits.
/// </summary>
public static class GetBalances
{
    public static void MapGetBalances(this WebApplication app) =>
        app.MapGet("/v1/customers/{id}/balances", HandleAsync).WithQuery();

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, WalletClient wallet, CancellationToken token) =>
        await CustomerView.FindAsync(db, http.Backend(), id, token) is { } customer
            ? await CreditTypes.ShowAsync(db, wallet, customer.Id, token)
            : CustomerView.NotFound;
}
