using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /v1/projects/{id}</c> with members of a project in a seed file; those that are absent stay as they are. Which world it is of,
/// what the platform takes and how far it trusts the project's customers is the operator's: a seed says it, and here it may only be
/// repeated.
/// </summary>
public static class PutProject
{
    public static void MapPutProject(this WebApplication app) => app.MapPut("/v1/projects/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token)
    {
        var caller = http.Backend();
        var seed = await SeedPart.ReadAsync<SeedProject>(http);
        if (!ListProjects.IsOf(caller, id))
            return ListProjects.NotFound;
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        var project = await SeedPart.LockAsync(db, caller, token);
        await DailyChanges.MustBeFewAsync(db, caller.Project, "project.", token);
        SeedPart.MustBeNamed(seed.Name, project.Name, "name");
        seed = seed with { Name = project.Name };
        MustBeSettings(seed);
        SeedPart.MustBeRight(SeedRules.Settings(seed, ""));
        MustBeTenants(seed, ProjectWriter.Describe(project));
        ProjectWriter.Write(project, seed);
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(project.Id))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.Json(ListProjects.View(project), SeedPart.Shown);
    }

    /// <summary>What a project has lists of has addresses of its own.</summary>
    static void MustBeSettings(SeedProject seed)
    {
        foreach (var (list, name) in ((object?, string)[])[(seed.SecretKeys, "secretKeys"), (seed.Providers, "providers"),
            (seed.Models, "models"), (seed.Customers, "customers"), (seed.Routes, "routes"), (seed.Plans, "plans"),
            (seed.Webhooks, "webhooks")])
            if (list is not null)
                throw Fields.Invalid(name, "is not a member that this call has");
    }

    static void MustBeTenants(SeedProject seed, SeedProject stored)
    {
        if (seed.Mode is { } mode && mode != stored.Mode)
            throw Fields.Invalid("mode", "is the operator's to change, in a seed file");
        if (seed.PlatformFeePercent is { } fee && fee != stored.PlatformFeePercent)
            throw Fields.Invalid("platformFeePercent", "is the operator's to change, in a seed file");
        if (seed.TopUpLimits is { } limits && limits != stored.TopUpLimits)
            throw Fields.Invalid("topUpLimits", "is the operator's to change, in a seed file");
    }
}
