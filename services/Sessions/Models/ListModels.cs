using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/models</c> → <c>{models}</c> and <c>GET /v1/models/{id}</c>, with a secret key: the project's models as a seed file has them.
/// What a model leaves open is the catalogue's.
/// </summary>
public static class ListModels
{
    public static void MapListModels(this WebApplication app)
    {
        app.MapGet("/v1/models", async (HttpContext http, SessionsDb db, CancellationToken token) =>
            Results.Json(new { models = await ReadAsync(http.Backend(), null, db, token) }, SeedPart.Shown)).WithQuery();
        app.MapGet("/v1/models/{id}", async (string id, HttpContext http, SessionsDb db, CancellationToken token) =>
            (await ReadAsync(http.Backend(), SeedPart.NameIn(id), db, token)).FirstOrDefault() is { } found
                ? Results.Json(found, SeedPart.Shown)
                : NotFound).WithQuery();
    }

    public static Problem NotFound => Problems.NotFound("model");

    /// <summary>A model that nobody offers any more is gone. Its row stays, because usage records refer to its prices.</summary>
    public static IQueryable<Model> Of(SessionsDb db, Guid project) => db.Models.Include(model => model.Providers)
        .Where(model => model.ProjectId == project && model.Providers.Count > 0).OrderBy(model => model.Id);

    static async Task<List<SeedModel>> ReadAsync(Principal caller, string? only, SessionsDb db, CancellationToken token)
    {
        var models = await Of(db, caller.Project).AsNoTracking().Where(model => only == null || model.Id == only).ToListAsync(token);
        var prices = ReadProject.ByOffer(await db.CurrentPricesAsync([caller.Project], token));
        return models.ConvertAll(model => ModelWriter.Describe(model, prices));
    }
}
