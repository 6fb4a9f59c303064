using System.Net;
using System.Net.Sockets;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Which addresses belong to the public internet. All others (this machine, private networks, link-local and metadata services, tunnels
/// that contain another address, reserved and documentation blocks) are forbidden for tenants' addresses. Pure.
/// </summary>
public static class PublicAddress
{
    /// <summary>
    /// IANA's special-purpose registry, and one address that a cloud uses: 168.63.129.16 looks public and is Azure's host.
    /// </summary>
    static readonly IPNetwork[] NotPublic4 = Networks(
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.31.196.0/24", "192.52.193.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
        "240.0.0.0/4", "168.63.129.16/32");

    /// <summary>Only this block is assigned for global use. Its tunnel and documentation blocks are excluded below.</summary>
    static readonly IPNetwork Global6 = IPNetwork.Parse("2000::/3");

    static readonly IPNetwork[] NotPublic6 = Networks("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20");

    public static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return address.AddressFamily switch
        {
            AddressFamily.InterNetwork => !Array.Exists(NotPublic4, network => network.Contains(address)),
            AddressFamily.InterNetworkV6 =>
                address.ScopeId == 0 && Global6.Contains(address) && !Array.Exists(NotPublic6, network => network.Contains(address))
                && TunnelsToPublic(address),
            _ => false,
        };
    }

    /// <summary>
    /// The tunnel of a site (ISATAP) may have any prefix. Its second half is <c>0:5efe</c> or <c>200:5efe</c> and an IPv4 address.
    /// </summary>
    static bool TunnelsToPublic(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        return bytes[8..12] is not ([0 or 2, 0, 0x5e, 0xfe]) || IsPublic(new IPAddress(bytes[12..]));
    }

    static IPNetwork[] Networks(params string[] texts) => Array.ConvertAll(texts, IPNetwork.Parse);
}
