using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET</c>, <c>PUT</c> and <c>DELETE /v1/branding</c> <c>{name?, logoUrl?, color?, supportUrl?, termsUrl?}</c>: how the project looks to
/// its customers, as <c>GET /v1/config</c> tells their pages. <c>PUT</c> writes all of it.
/// </summary>
public static class PutBranding
{
    static async Task WriteAsync(Principal caller, Branding? branding, SessionsDb db, HotCopies copies, CancellationToken token)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        var project = await SeedPart.LockAsync(db, caller, token);
        await DailyChanges.MustBeFewAsync(db, caller.Project, "project.", token);
        project.Branding = null;
        ProjectWriter.Write(project, new(project.Name) { Branding = branding });
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(project.Id))
            await transaction.CommitAsync(CancellationToken.None);
    }

    public static void MapPutBranding(this WebApplication app)
    {
        app.MapGet("/v1/branding", async (HttpContext http, SessionsDb db, CancellationToken token) =>
        {
            var caller = http.Backend();
            var project = await db.Projects.AsNoTracking().SingleAsync(project => project.Id == caller.Project, token);
            return Results.Json(ProjectWriter.BrandingOf(project) ?? new(), SeedPart.Shown);
        }).WithQuery();
        app.MapPut("/v1/branding", async (HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token) =>
        {
            var branding = await SeedPart.ReadAsync<Branding>(http);
            SeedPart.MustBeRight(SeedRules.Branding(branding, ""));
            await WriteAsync(http.Backend(), branding, db, copies, token);
            return Results.Json(branding, SeedPart.Shown);
        });
        app.MapDelete("/v1/branding", async (HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token) =>
        {
            await WriteAsync(http.Backend(), null, db, copies, token);
            return Results.NoContent();
        });
    }
}
