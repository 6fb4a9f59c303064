using System.Net;
using System.Net.Sockets;

namespace LlmGateway.Proxy;

/// <summary>
/// The address by which a caller is counted. <c>X-Forwarded-For</c> counts only where the connection comes from a proxy that the operator
/// trusts, because anybody can send it.
/// </summary>
/// <param name="trusted">Addresses and networks of those proxies, separated by commas.</param>
public sealed class CallerAddress(string? trusted)
{
    public const string Setting = "Proxy:TrustedProxies";

    const int BytesOfANetwork = 8;

    readonly IPNetwork[] _trusted = [.. (trusted ?? "")
        .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Network)];

    /// <summary>An IPv6 address stands for its /64, all of which one caller may have.</summary>
    public IPAddress Of(HttpContext http)
    {
        var address = Plain(http.Connection.RemoteIpAddress ?? IPAddress.None);
        // The last entry is what the nearest proxy saw.
        foreach (var hop in http.Request.Headers["X-Forwarded-For"].ToString().Split(',', StringSplitOptions.TrimEntries).Reverse())
        {
            if (!_trusted.Any(network => network.Contains(address)) || !IPEndPoint.TryParse(hop, out var before))
                break;
            address = Plain(before.Address);
        }
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
            return address;
        var bytes = address.GetAddressBytes();
        Array.Clear(bytes, BytesOfANetwork, bytes.Length - BytesOfANetwork);
        return new(bytes);
    }

    static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    static IPNetwork Network(string text) =>
        IPNetwork.TryParse(text, out var network) ? network
        : IPAddress.TryParse(text, out var address) ? new(address, address.GetAddressBytes().Length * 8)
        : throw new InvalidOperationException($"{Setting} has '{text}', which is no address or network");
}
