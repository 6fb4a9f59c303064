using Microsoft.Extensions.Hosting;

namespace LlmGateway.ServiceDefaults;

/// <summary>The private hosts that the operator lets tenants reach: names or addresses, with a port or for every port.</summary>
public sealed class PrivateHosts(string? setting)
{
    /// <summary>For tenants' providers. Separated by commas: <c>vllm.internal:8000, 10.0.0.5</c>.</summary>
    public const string OfProviders = "Gateway:PrivateHosts";

    readonly HashSet<string> _hosts = new(
        (setting ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
        StringComparer.OrdinalIgnoreCase);

    public static readonly PrivateHosts None = new(null);

    public static PrivateHosts Read(IHostApplicationBuilder builder, string setting) => new(builder.Configuration[setting]);

    /// <param name="host">As in <see cref="Uri.IdnHost"/>; IPv6 addresses with or without brackets.</param>
    public bool Contains(string host, int port) =>
        _hosts.Count > 0 && (_hosts.Contains(host) || _hosts.Contains($"{host}:{port}")
            || _hosts.Contains($"[{host}]") || _hosts.Contains($"[{host}]:{port}"));
}
