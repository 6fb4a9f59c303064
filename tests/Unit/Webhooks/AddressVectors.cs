using System.Net;

namespace LlmGateway.UnitTests.Webhooks;

/// <summary>Addresses by which somebody would reach what is not public: written down, or as the answer of a resolver.</summary>
static class AddressVectors
{
    /// <summary>Of this machine, of metadata services, of private networks, of every other block that is not public.</summary>
    static readonly string[] Private4 =
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.254", "127.0.0.1",
        "127.255.255.254", "168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.254", "192.0.0.1",
        "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.168.255.254", "192.175.48.1",
        "198.18.0.1", "198.19.255.254", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    ];

    static readonly string[] Private6 =
    [
        "::", "::1", "100::1", "100:0:0:1::1", "2001::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2620:4f:8000::1", "3fff::1",
        "5f00::1", "fc00::1", "fd00:ec2::254", "fd12:3456:789a:1::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "ff05::2", "4000::1",
        "1fff::1", "64:ff9b:1::1", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    ];

    /// <summary>The ways in which an IPv6 address may have an IPv4 address in it.</summary>
    static readonly (string Name, Func<byte[], string> Embed)[] Embeddings =
    [
        ("mapped", b => $"::ffff:{b[0]}.{b[1]}.{b[2]}.{b[3]}"),
        ("mapped, in hexadecimal", b => $"::ffff:{Hex(b)}"),
        ("compatible", b => $"::{Hex(b)}"),
        ("translated", b => $"::ffff:0:{Hex(b)}"),
        ("NAT64", b => $"64:ff9b::{Hex(b)}"),
        ("NAT64 of a site", b => $"64:ff9b:1::{Hex(b)}"),
        ("6to4", b => $"2002:{Hex(b)}::1"),
        ("Teredo", b => $"2001:0:4136:e378:8000:63bf:{Hex([.. b.Select(part => (byte)(255 - part))])}"),
        ("ISATAP", b => $"2606:4700::5efe:{Hex(b)}"),
        ("ISATAP, global", b => $"2606:4700::200:5efe:{Hex(b)}"),
    ];

    /// <summary>What a name may lead to.</summary>
    public static IEnumerable<string> Addresses =>
    [
        .. Private4, .. Private6,
        .. from embedding in Embeddings from address in Private4 select embedding.Embed(IPAddress.Parse(address).GetAddressBytes()),
    ];

    /// <summary>As somebody writes them into a URL: <c>{0}</c> of it is a host.</summary>
    public static IEnumerable<string> Hosts =>
    [
        "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0x7f.1", "0", "0x0", "00.0.0.0", "127.0.0.1.",
        "169.254.169.254.", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1",
        "１２７.０.０.１", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "metadata",
        "metadata.google.internal", "metadata.google.internal.", "instance-data", "kubernetes.default.svc.cluster.local", "router.lan",
        "nas.home", "printer.local", "1.0.0.127.in-addr.arpa", "x.onion", "redis", "postgres", "host.docker.internal",
        .. Private4,
        .. Addresses.Where(address => address.Contains(':') && !address.Contains('%')).Select(address => $"[{address}]"),
        "[fe80::1%25eth0]", "[fe80::1%251]", "[0:0:0:0:0:ffff:7f00:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]",
    ];

    static string Hex(byte[] b) => $"{b[0]:x2}{b[1]:x2}:{b[2]:x2}{b[3]:x2}";
}
