using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>DELETE /v1/providers/{id}</c> → 204. 409 while a model or a route names it.</summary>
public static class DeleteProvider
{
    public static void MapDeleteProvider(this WebApplication app) => app.MapDelete("/v1/providers/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token)
    {
        var caller = http.Backend();
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        if (await db.Providers.Include(one => one.Keys)
            .SingleOrDefaultAsync(one => one.ProjectId == caller.Project && one.Id == id, token) is not { } provider)
            return ListProviders.NotFound;
        if (await db.Models.Where(one => one.ProjectId == caller.Project && one.Providers.Any(offer => offer.ProviderId == id))
            .OrderBy(one => one.Id).FirstOrDefaultAsync(token) is { } model)
            return Problems.Conflict("provider_in_use", $"The model '{model.Id}' is had from this provider. Change or delete it first.");
        var routes = await db.ProjectRoutes.AsNoTracking().Where(one => one.ProjectId == caller.Project).OrderBy(one => one.Id)
            .ToListAsync(token);
        if (routes.Find(one => RouteWriter.Read(one).Provider == id) is { } route)
            return Problems.Conflict("provider_in_use", $"The route '{route.Id}' goes to this provider. Change or delete it first.");
        db.RemoveRange(provider.Keys);
        db.Remove(provider);
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(caller.Project))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.NoContent();
    }
}
