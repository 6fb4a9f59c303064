using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>GET /v1/customers/{id}/limits</c>: the limits in their owner's order, with raises and the running cycle of each.</summary>
public static class GetLimits
{
    public static void MapGetLimits(this WebApplication app) => app.MapGet("/v1/customers/{id}/limits", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, WalletClient wallet, TimeProvider time, CancellationToken token)
    {
        if (await CustomerView.FindAsync(db, http.Backend(), id, token) is not { } customer)
            return CustomerView.NotFound;
        var limits = await db.Limits.AsNoTracking().Include(limit => limit.Raises)
            .Where(limit => limit.CustomerId == customer.Id)
            .ToListAsync(token);
        return Results.Json(await LimitView.OfAsync(limits, wallet, time.GetUtcNow(), token), Defaults.Json);
    }
}
