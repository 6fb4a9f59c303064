using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/providers</c> → <c>{providers}</c> and <c>GET /v1/providers/{id}</c>: as a seed file has them, without their secrets, which
/// nobody is shown again.
/// </summary>
public static class ListProviders
{
    public static void MapListProviders(this WebApplication app)
    {
        app.MapGet("/v1/providers", async (HttpContext http, SessionsDb db, CancellationToken token) => Results.Json(
            new { providers = (await Of(db, http.Backend().Project).ToListAsync(token)).Select(ProviderWriter.Describe) },
            SeedPart.Shown)).WithQuery();
        app.MapGet("/v1/providers/{id}", async (string id, HttpContext http, SessionsDb db, CancellationToken token) =>
            await Of(db, http.Backend().Project).SingleOrDefaultAsync(provider => provider.Id == id, token) is { } found
                ? Results.Json(ProviderWriter.Describe(found), SeedPart.Shown)
                : NotFound).WithQuery();
    }

    public static Problem NotFound => Problems.NotFound("provider");

    static IQueryable<Provider> Of(SessionsDb db, Guid project) => db.Providers.AsNoTracking().Include(provider => provider.Keys)
        .Where(provider => provider.ProjectId == project).OrderBy(provider => provider.Id);
}
