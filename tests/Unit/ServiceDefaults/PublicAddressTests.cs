using System.Net;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>Every block that must not be reached, at both of its ends, and its neighbours that may.</summary>
public sealed class PublicAddressTests
{
    [Theory]
    [InlineData("0.0.0.0", "0.255.255.255")]
    [InlineData("10.0.0.0", "10.255.255.255")]
    [InlineData("100.64.0.0", "100.127.255.255")]
    [InlineData("100.100.100.200", "100.100.100.200")]
    [InlineData("127.0.0.0", "127.255.255.255")]
    [InlineData("169.254.0.0", "169.254.255.255")]
    [InlineData("169.254.169.254", "169.254.170.2")]
    [InlineData("172.16.0.0", "172.31.255.255")]
    [InlineData("192.0.0.0", "192.0.0.255")]
    [InlineData("192.0.2.0", "192.0.2.255")]
    [InlineData("192.31.196.0", "192.31.196.255")]
    [InlineData("192.52.193.0", "192.52.193.255")]
    [InlineData("192.88.99.0", "192.88.99.255")]
    [InlineData("192.168.0.0", "192.168.255.255")]
    [InlineData("192.175.48.0", "192.175.48.255")]
    [InlineData("198.18.0.0", "198.19.255.255")]
    [InlineData("198.51.100.0", "198.51.100.255")]
    [InlineData("203.0.113.0", "203.0.113.255")]
    [InlineData("224.0.0.0", "239.255.255.255")]
    [InlineData("240.0.0.0", "255.255.255.255")]
    [InlineData("168.63.129.16", "168.63.129.16")]
    [InlineData("::", "::1")]
    [InlineData("::127.0.0.1", "::8.8.8.8")]
    [InlineData("::ffff:127.0.0.1", "::ffff:169.254.169.254")]
    [InlineData("::ffff:10.0.0.1", "::ffff:a9fe:a9fe")]
    [InlineData("64:ff9b::7f00:1", "64:ff9b::808:808")]
    [InlineData("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("100::", "100:0:0:1::1")]
    [InlineData("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("2002:7f00:1::", "2002:a9fe:a9fe::1")]
    [InlineData("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("5f00::", "5f00:ffff::1")]
    [InlineData("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("fd00:ec2::254", "fd00::1")]
    [InlineData("fe80::", "fe80::1%1")]
    [InlineData("fec0::", "feff::1")]
    [InlineData("ff00::", "ff02::1")]
    [InlineData("4000::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]
    public void What_is_not_the_internet_is_not_public(string first, string last)
    {
        Assert.False(PublicAddress.IsPublic(IPAddress.Parse(first)), first);
        Assert.False(PublicAddress.IsPublic(IPAddress.Parse(last)), last);
    }

    [Theory]
    [InlineData("1.0.0.0", "9.255.255.255")]
    [InlineData("11.0.0.0", "100.63.255.255")]
    [InlineData("100.128.0.0", "126.255.255.255")]
    [InlineData("128.0.0.0", "169.253.255.255")]
    [InlineData("168.63.129.15", "168.63.129.17")]
    [InlineData("169.255.0.0", "172.15.255.255")]
    [InlineData("172.32.0.0", "191.255.255.255")]
    [InlineData("192.0.1.0", "192.0.3.0")]
    [InlineData("192.167.255.255", "192.169.0.0")]
    [InlineData("198.17.255.255", "198.20.0.0")]
    [InlineData("203.0.112.255", "203.0.114.0")]
    [InlineData("8.8.8.8", "223.255.255.255")]
    [InlineData("::ffff:8.8.8.8", "::ffff:1.1.1.1")]
    [InlineData("2001:200::", "2001:4860:4860::8888")]
    [InlineData("2001:db7:ffff::1", "2001:db9::1")]
    [InlineData("2003::1", "2606:4700:4700::1111")]
    [InlineData("2000::1", "3ffe:ffff::1")]
    public void The_neighbours_of_those_blocks_are_public(string first, string last)
    {
        Assert.True(PublicAddress.IsPublic(IPAddress.Parse(first)), first);
        Assert.True(PublicAddress.IsPublic(IPAddress.Parse(last)), last);
    }

    /// <summary>An IPv4 address and its mapped form mean the same host.</summary>
    [Fact]
    public void A_mapped_address_is_what_it_maps() => Seeds.ForEach(5000, random =>
    {
        var bytes = new byte[4];
        random.NextBytes(bytes);
        var address = new IPAddress(bytes);

        Assert.Equal(PublicAddress.IsPublic(address), PublicAddress.IsPublic(address.MapToIPv6()));
    });
}
