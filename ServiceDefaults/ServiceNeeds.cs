using Microsoft.Extensions.Configuration;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Everything a service reads from configuration, declared once. Start-up fails with one clear line when something is missing, and a test
/// holds the AppHost's topology against these lists, so that a service can never need what nobody gives it.
/// </summary>
/// <param name="Name">The service's name in telemetry and topology.</param>
/// <param name="Connections">Names under <c>ConnectionStrings</c>.</param>
/// <param name="Services">Names under <c>services:NAME:http:0</c>, as Aspire writes them.</param>
/// <param name="Settings">Configuration keys that must have a value.</param>
/// <param name="OptionalSettings">Configuration keys that may have one.</param>
public sealed record ServiceNeeds(string Name, string[] Connections, string[] Services, string[] Settings, string[] OptionalSettings)
{
    public IReadOnlyList<string> MissingFrom(IConfiguration configuration) =>
    [
        .. Connections.Where(name => string.IsNullOrEmpty(configuration.GetConnectionString(name))).Select(name => $"ConnectionStrings:{name}"),
        .. Services.Select(ServiceKey).Concat(Settings).Where(key => string.IsNullOrEmpty(configuration[key])),
    ];

    /// <summary>Key of a referenced service's address.</summary>
    public static string ServiceKey(string service) => $"services:{service}:http:0";
}

public static class ConfigurationReads
{
    public static string Connection(this IConfiguration configuration, string name) =>
        configuration.GetConnectionString(name) is { Length: > 0 } value ? value : throw Missing($"ConnectionStrings:{name}");

    /// <summary>Without an address a service's name would be looked up in DNS.</summary>
    public static void RequireService(this IConfiguration configuration, string name) => configuration.Setting(ServiceNeeds.ServiceKey(name));

    public static string Setting(this IConfiguration configuration, string key) =>
        configuration[key] is { Length: > 0 } value ? value : throw Missing(key);

    static InvalidOperationException Missing(string key) => new($"configuration '{key}' is missing");
}
