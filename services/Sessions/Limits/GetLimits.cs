using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/customers/{id}/limits</c>: the limits in their owner's order, with raises and the running cycle of each. Proxies ask
/// <c>GET /internal/limits/{customer}</c> for what its end users see.
/// </summary>
public static class GetLimits
{
    public static void MapGetLimits(this WebApplication app)
    {
        app.MapGet("/v1/customers/{id}/limits", HandleAsync).WithQuery();
        app.MapGet("/internal/limits/{customer:guid}", ShowAsync);
    }

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, WalletClient wallet, TimeProvider time, CancellationToken token) =>
        await CustomerView.FindAsync(db, http.Backend(), id, token) is { } customer
            ? await ShowAsync(customer.Id, db, wallet, time, token)
            : CustomerView.NotFound;

    static async Task<IResult> ShowAsync(Guid customer, SessionsDb db, WalletClient wallet, TimeProvider time, CancellationToken token)
    {
        var limits = await db.Limits.AsNoTracking().Include(limit => limit.Raises)
            .Where(limit => limit.CustomerId == customer)
            .ToListAsync(token);
        return Results.Json(await LimitView.OfAsync(limits, wallet, time.GetUtcNow(), token), Defaults.Json);
    }
}
