using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>DELETE /v1/models/{id}</c> → 204: it can be called no more. Its prices stay, for what was charged by them.</summary>
public static class DeleteModel
{
    public static void MapDeleteModel(this WebApplication app) => app.MapDelete("/v1/models/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token)
    {
        var (caller, name) = (http.Backend(), SeedPart.NameIn(id));
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        if (await ListModels.Of(db, caller.Project).SingleOrDefaultAsync(one => one.Id == name, token) is not { } model)
            return ListModels.NotFound;
        db.RemoveRange(model.Providers);
        if (!await db.PriceVersions.AnyAsync(version => version.ProjectId == caller.Project && version.ModelId == name, token))
            db.Remove(model); // nothing was charged by it: rows of what is gone must not become ever more
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(caller.Project))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.NoContent();
    }
}
