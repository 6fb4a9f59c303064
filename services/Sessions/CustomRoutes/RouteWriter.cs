using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// A project's routes, each whole under its id, for seed files and calls alike. <see cref="RouteRules"/> has been asked before of each; who
/// calls this commits.
/// </summary>
public static class RouteWriter
{
    /// <summary>Of all definitions of a project by calls, in characters: every proxy has them in memory.</summary>
    const int MaxLengthPerProject = 1024 * 1024;

    /// <summary>Nothing is saved when there is a mistake.</summary>
    /// <param name="tenant">A tenant writes them. What it has filled must not keep the operator's file from being applied. What a
    /// file has filled keeps no tenant from changes by which it becomes less.</param>
    /// <returns>What is wrong with them beside those that are stored. Null when nothing is.</returns>
    public static async Task<(string Code, string Reason)?> WriteAsync(
        SessionsDb db, Guid project, IReadOnlyList<CustomRoute> routes, bool tenant, CancellationToken token)
    {
        var stored = await db.ProjectRoutes.Where(route => route.ProjectId == project).ToDictionaryAsync(route => route.Id, token);
        var (known, before) = (stored.Count, Length());
        foreach (var route in routes)
        {
            if (!stored.TryGetValue(route.Id, out var row))
                db.Add(stored[route.Id] = row = new() { ProjectId = project, Id = route.Id, Definition = "" });
            row.Definition = JsonSerializer.Serialize(route, Defaults.Json);
            row.PublicHost = route.Public ? route.Host : null;
        }
        var hosts = stored.Values.Select(route => route.PublicHost).OfType<string>().Distinct().ToList();
        await db.LockHostsAsync(hosts, token);
        if (await db.ProjectRoutes.Where(route => route.ProjectId != project && hosts.Contains(route.PublicHost!))
            .Select(route => route.PublicHost).FirstOrDefaultAsync(token) is { } taken)
            return ("host_taken", $"the host '{taken}' has routes for everybody in another project");
        if (tenant && stored.Count > Math.Max(known, CustomRoute.MaxPerProject))
            return ("too_many_routes", $"the project would have more than {CustomRoute.MaxPerProject} routes");
        if (tenant && Length() > Math.Max(before, MaxLengthPerProject))
            return ("too_large_routes", $"the project's routes would have more than {MaxLengthPerProject} characters together");
        return RouteRules.Tie([.. stored.Values.Select(Read)]) is { } tie ? ("routes_tie", tie) : null;

        long Length() => stored.Values.Sum(route => (long)route.Definition.Length);
    }

    /// <summary>As it may be written again: 0 units were once what was stored where nothing had been said.</summary>
    public static CustomRoute Read(ProjectRoute row)
    {
        var route = JsonSerializer.Deserialize<CustomRoute>(row.Definition, Defaults.Json)!;
        return route.FallbackUnits == 0 ? route with { FallbackUnits = null } : route;
    }
}
