using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/usage/requests/{id}</c>: what became of a request, by the id that its caller has. The ledger knows what was counted and who
/// paid; the lines of the bill are made from the version of the price that it names.
/// </summary>
public static class ShowRequest
{
    public static void MapShowRequest(this WebApplication app) => app.MapGet("/v1/usage/requests/{id}", HandleAsync).WithQuery();

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, WalletClient wallet, CancellationToken token)
    {
        var caller = http.Backend();
        if (!Ids.TryParse(Ids.Request, id, out var request)
            || await wallet.RequestAsync(caller.Project, caller.Test, request, token) is not { } found)
            return Problems.NotFound("request");
        var versions = found.Attempts.Select(attempt => attempt.PriceVersion).OfType<Guid>().Distinct().ToList();
        var prices = await db.PriceVersions.AsNoTracking()
            .Where(one => one.ProjectId == caller.Project && versions.Contains(one.Id)).ToDictionaryAsync(one => one.Id, token);
        return Results.Json(
            found with { Attempts = [.. found.Attempts.Select(attempt => attempt with { CostLines = LinesOf(attempt) })] }, Defaults.Json);

        IReadOnlyList<PricedMeter>? LinesOf(BookedAttempt attempt) =>
            attempt.PriceVersion is { } version && prices.TryGetValue(version, out var price)
                ? PricedMeter.Of(attempt.Meters, StoredPrices.Read(price.Prices), attempt.Cost)
                : null;
    }
}
