using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>DELETE /v1/routes/{id}</c> → 204: within a second it takes no request. What was charged by it stays as it is.</summary>
public static class DeleteRoute
{
    public static void MapDeleteRoute(this WebApplication app) => app.MapDelete("/v1/routes/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token)
    {
        var (caller, name) = (http.Backend(), SeedPart.NameIn(id));
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        if (await db.ProjectRoutes.SingleOrDefaultAsync(one => one.ProjectId == caller.Project && one.Id == name, token) is not { } route)
            return ListRoutes.NotFound;
        db.Remove(route);
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(caller.Project))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.NoContent();
    }
}
