using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>Stores routes of a project, each whole under its id.</summary>
public static class RouteWriter
{
    /// <summary>Nothing is saved when there is a mistake.</summary>
    /// <returns>What is wrong with them beside those that are stored. Null when nothing is.</returns>
    public static async Task<string?> WriteAsync(
        SessionsDb db, Guid project, IReadOnlyList<CustomRoute> routes, CancellationToken token)
    {
        var stored = await db.ProjectRoutes.Where(route => route.ProjectId == project).ToDictionaryAsync(route => route.Id, token);
        foreach (var route in routes)
        {
            if (!stored.TryGetValue(route.Id, out var row))
                db.Add(stored[route.Id] = row = new() { ProjectId = project, Id = route.Id, Definition = "" });
            row.Definition = JsonSerializer.Serialize(route, Defaults.Json);
            row.PublicHost = route is { Public: true, Enabled: true } ? route.Host : null;
        }
        var hosts = stored.Values.Select(route => route.PublicHost).OfType<string>().Distinct().ToList();
        await db.LockHostsAsync(hosts, token);
        if (await db.ProjectRoutes.Where(route => route.ProjectId != project && hosts.Contains(route.PublicHost!))
            .Select(route => route.PublicHost).FirstOrDefaultAsync(token) is { } taken)
            return $"the host '{taken}' has routes for everybody in another project";
        return stored.Count > CustomRoute.MaxPerProject
            ? $"the project would have more than {CustomRoute.MaxPerProject} routes"
            : RouteRules.Tie([.. stored.Values.Select(Read)]);
    }

    public static CustomRoute Read(ProjectRoute row) => JsonSerializer.Deserialize<CustomRoute>(row.Definition, Defaults.Json)!;
}
