using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Settings of a service. Each is read once, before the service is built. Missing ones are collected, so that one line can name them all.
/// </summary>
public static class Settings
{
    /// <summary>A setting that must have a value.</summary>
    public static string Setting(this IHostApplicationBuilder builder, string key)
    {
        if (builder.Configuration[key] is { Length: > 0 } value)
            return value;
        builder.Missing().Add(key);
        return "";
    }

    /// <summary>A connection string that must be there.</summary>
    public static string Connection(this IHostApplicationBuilder builder, string name) => builder.Setting($"ConnectionStrings:{name}");

    /// <summary>Builds the service. Where settings are missing, the process ends with one line that names them, and exit code 1.</summary>
    public static WebApplication BuildService(this WebApplicationBuilder builder)
    {
        if (builder.Missing() is { Count: > 0 } missing)
        {
            Console.Error.WriteLine($"{builder.Environment.ApplicationName}: configuration is missing {string.Join(", ", missing)}");
            Environment.Exit(1);
        }
        return builder.Build();
    }

    static SortedSet<string> Missing(this IHostApplicationBuilder builder)
    {
        if (!builder.Properties.TryGetValue(typeof(Settings), out var missing))
            builder.Properties[typeof(Settings)] = missing = new SortedSet<string>(StringComparer.Ordinal);
        return (SortedSet<string>)missing;
    }
}
