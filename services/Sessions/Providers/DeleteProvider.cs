using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>DELETE /v1/providers/{id}</c> → 204. 409 while a model, a route or an open batch needs it.</summary>
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
        if (await UseAsync(db, caller.Project, id, token) is { } use)
            return Problems.Conflict("provider_in_use", use);
        db.RemoveRange(provider.Keys);
        db.Remove(provider);
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(caller.Project))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.NoContent();
    }

    /// <summary>
    /// What still needs it, or null. A route without its provider would be gone from the table, and its calls would fall to a wider one, at
    /// another price. A batch that nobody can ask after stays charged at its bound.
    /// </summary>
    static async Task<string?> UseAsync(SessionsDb db, Guid project, string id, CancellationToken token)
    {
        if (await db.Models.Where(one => one.ProjectId == project && one.Providers.Any(offer => offer.ProviderId == id))
            .OrderBy(one => one.Id).FirstOrDefaultAsync(token) is { } model)
            return $"The model '{model.Id}' is had from this provider. Change or delete it first.";
        var routes = await db.ProjectRoutes.AsNoTracking().Where(one => one.ProjectId == project).OrderBy(one => one.Id).ToListAsync(token);
        if (routes.ConvertAll(RouteWriter.Read).Find(one => one.Provider == id) is { } route)
            return $"The route '{route.Id}' goes to this provider. Change or delete it first.";
        return await OpenBatches.AreAtAsync(db, project, id, DateTimeOffset.UnixEpoch, token)
            ? "A customer's batch is open at this provider. Delete the provider when the batch is settled, which is after its end."
            : null;
    }
}
