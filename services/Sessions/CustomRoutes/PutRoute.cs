using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /v1/routes/{id}</c> with a route as a seed file has it, in force within a second. 409 when it ties with another one of the
/// project, or when there would be too much of them. Which hosts are for everybody is the operator's: a seed says it, and here it may only
/// be repeated. So it is with what a route opens of the operator's providers, beyond raw calls.
/// </summary>
public static class PutRoute
{
    public static void MapPutRoute(this WebApplication app) => app.MapPut("/v1/routes/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token)
    {
        var (caller, name) = (http.Backend(), SeedPart.NameIn(id));
        var route = await SeedPart.ReadAsync<CustomRoute>(http);
        SeedPart.MustBeNamed(route.Id == route.Path ? null : route.Id, name); // a body without an id has its path for one
        route = route with { Id = name };
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        await DailyChanges.MustBeFewAsync(db, caller.Project, "route.", token);
        var providers = await db.Providers.AsNoTracking().Where(one => one.ProjectId == caller.Project)
            .ToDictionaryAsync(one => one.Id, token);
        SeedPart.MustBeRight(RouteRules.Errors(route, "", providers.Keys.ToHashSet()));
        var stored = await db.ProjectRoutes.SingleOrDefaultAsync(one => one.ProjectId == caller.Project && one.Id == name, token);
        MustBeTenants(route, stored);
        route = RouteRules.OfTenant(route, stored is null ? null : RouteWriter.Read(stored));
        SeedPart.MustBeRight(RouteRules.TenantErrors(route, providers[route.Provider]));
        if (await RouteWriter.WriteAsync(db, caller.Project, [route], tenant: true, token) is var (code, reason))
            return Problems.Conflict(code, $"Nothing was changed: {reason}.");
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(caller.Project))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.Json(route, SeedPart.Shown);
    }

    /// <summary>Who calls without a credential is taken for a caller of the project that has the host.</summary>
    static void MustBeTenants(CustomRoute route, ProjectRoute? stored)
    {
        if (route.Public && (stored?.PublicHost is not { } host || host != route.Host))
            throw Fields.Invalid(
                "public", "is the operator's to say, in a seed file, with the host: nothing shows here that the host is this project's");
    }
}
