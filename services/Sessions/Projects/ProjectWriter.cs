using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>A project's own settings, for seed files and calls alike. <see cref="SeedRules"/> has been asked before.</summary>
public static class ProjectWriter
{
    /// <summary>What is absent stays as it is.</summary>
    public static void Write(Project project, SeedProject seed)
    {
        project.Test = seed.Mode is null ? project.Test : seed.Mode == "test";
        project.MarkupPpm = seed.MarkupPercent?.Ppm ?? project.MarkupPpm;
        project.PlatformFeePpm = seed.PlatformFeePercent?.Ppm ?? project.PlatformFeePpm;
        project.EndUserSessions = seed.EndUserSessions ?? project.EndUserSessions;
        project.KeysInQuery = seed.KeysInQuery ?? project.KeysInQuery;
        project.AllowedOrigins = seed.AllowedOrigins?.ToList() ?? project.AllowedOrigins;
        project.LowBalanceNanos = seed.LowBalance?.Nanos ?? project.LowBalanceNanos;
        project.LimitThresholds = seed.LimitThresholds?.ToList() ?? project.LimitThresholds;
        project.TopUpLimits = seed.TopUpLimits is { } limits ? JsonSerializer.Serialize(limits, Defaults.Json) : project.TopUpLimits;
        if (seed.Branding is { } branding)
            project.Branding = JsonSerializer.Serialize(branding, SeedPart.Shown);
    }

    public static Branding? BrandingOf(Project project) =>
        project.Branding is { } json ? JsonSerializer.Deserialize<Branding>(json, Defaults.Json) : null;

    /// <summary>What would be written to make the project as it is.</summary>
    public static SeedProject Describe(Project project) => new(project.Name)
    {
        Mode = project.Test ? "test" : "live",
        MarkupPercent = new(project.MarkupPpm),
        PlatformFeePercent = new(project.PlatformFeePpm),
        EndUserSessions = project.EndUserSessions,
        KeysInQuery = project.KeysInQuery,
        AllowedOrigins = project.AllowedOrigins,
        LowBalance = project.LowBalanceNanos is { } nanos ? new Money(nanos) : null,
        LimitThresholds = project.LimitThresholds,
        Branding = BrandingOf(project),
        TopUpLimits = project.TopUpLimits is { } limits ? JsonSerializer.Deserialize<TopUpAllowance>(limits, Defaults.Json) : null,
    };
}
