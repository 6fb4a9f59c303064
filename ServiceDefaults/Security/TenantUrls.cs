using System.Buffers;
using System.Net;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Which addresses tenants may register: https to a public name. <see cref="GuardedConnections"/> checks what the name resolves to at each
/// connection, because that can change. Pure.
/// </summary>
public static class TenantUrls
{
    public const int MaxLength = 2048;

    /// <summary>Names under these are never public (RFC 2606, 6761, 6762, 8375, 9476), or are common inside networks.</summary>
    static readonly string[] PrivateEnds =
        [
            "localhost", "local", "internal", "intranet", "private", "corp", "home", "lan", "localdomain", "arpa", "onion", "alt", "test",
            "invalid", "example"
        ];

    static readonly SearchValues<char> NameCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-.");

    /// <summary>What is wrong with the address, after the name of its field; null when nothing is.</summary>
    public static string? Error(string text, PrivateHosts allowed)
    {
        if (text.Length > MaxLength)
            return $"may have at most {MaxLength} characters";
        if (text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c)) || text.Contains('\\', StringComparison.Ordinal)
            || !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Host.Length == 0)
            return "must be an https address";
        if (url.UserInfo.Length > 0 || text.Contains('#', StringComparison.Ordinal))
            return "must not have a user or a fragment";
        if (url.Scheme is "http" or "https" && allowed.Contains(url.IdnHost, url.Port))
            return null;
        if (url.Scheme != "https" || url.Port != 443)
            return "must be an https address at port 443";
        return IsPublicName(url) ? null : "must name a public host in ASCII letters (xn--… for others), not an address";
    }

    /// <summary>
    /// True for a name with a dot that no resolver takes for an address. Other scripts must be written as <c>xn--</c>, because converters
    /// differ: some turn ① into 1.
    /// </summary>
    static bool IsPublicName(Uri url)
    {
        var name = url.Host;
        if (url.HostNameType != UriHostNameType.Dns || name.Length > 253 || IPAddress.TryParse(name.TrimEnd('.'), out _)
            || name.AsSpan().ContainsAnyExcept(NameCharacters))
            return false;
        var labels = name.Split('.');
        return labels.Length >= 2 && labels.All(label => label.Length is > 0 and <= 63) && !labels[^1].All(char.IsAsciiDigit)
            && !PrivateEnds.Contains(labels[^1]);
    }
}

/// <summary>The private hosts that the operator lets tenants reach: names or addresses, with a port or for every port.</summary>
public sealed class PrivateHosts(string? setting)
{
    /// <summary>Separated by commas: <c>vllm.internal:8000, 10.0.0.5</c>.</summary>
    public const string Setting = "Gateway:PrivateHosts";

    readonly HashSet<string> _hosts = new(
        (setting ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
        StringComparer.OrdinalIgnoreCase);

    public static readonly PrivateHosts None = new(null);

    /// <param name="host">As in <see cref="Uri.IdnHost"/>; IPv6 addresses with or without brackets.</param>
    public bool Contains(string host, int port) =>
        _hosts.Count > 0 && (_hosts.Contains(host) || _hosts.Contains($"{host}:{port}")
            || _hosts.Contains($"[{host}]") || _hosts.Contains($"[{host}]:{port}"));
}
