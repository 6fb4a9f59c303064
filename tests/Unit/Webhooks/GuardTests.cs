using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Webhooks;
using Xunit;

namespace LlmGateway.UnitTests.Webhooks;

/// <summary>
/// Whatever is written down, and whatever names lead to: nothing that is not public is connected to. A connector records what would be.
/// </summary>
public sealed class GuardTests
{
    static readonly IPAddress Public = IPAddress.Parse("93.184.216.34");

    readonly ConcurrentQueue<IPAddress> _connected = [];

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void There_are_vectors_enough() =>
        Assert.True(AddressVectors.Addresses.Distinct().Count() >= 250 && AddressVectors.Hosts.Distinct().Count() >= 250);

    [Fact]
    public async Task What_leads_to_a_private_address_is_not_connected_to_alone_or_among_public_ones()
    {
        foreach (var text in AddressVectors.Addresses)
        {
            var address = IPAddress.Parse(text);
            foreach (var answers in (IPAddress[][])[[address], [Public, address], [address, Public]])
                Assert.True((await SendAsync("https://hooks.example.com/x", _ => answers)).Error is "address_not_public", text);
        }
        Assert.Empty(_connected);
    }

    /// <summary>Written by hand into the table, past the check of the text: the connection itself is guarded.</summary>
    [Fact]
    public async Task What_is_written_as_an_address_is_not_connected_to_however_it_is_written()
    {
        foreach (var host in AddressVectors.Hosts)
            foreach (var scheme in (string[])["https", "http"])
                if (Uri.TryCreate($"{scheme}://{host}/x", UriKind.Absolute, out var url))
                    Assert.True((await SendAsync(url.ToString(), Resolve)).Status is null, host);
        Assert.All(_connected, address => Assert.True(PublicAddress.IsPublic(address), $"{address}"));
        Assert.Empty(_connected);

        // As a resolver that understands every way of writing an address.
        static IPAddress[] Resolve(string host) =>
            IPAddress.TryParse(host.TrimEnd('.'), out var literal) ? [literal] : [IPAddress.Loopback];
    }

    [Fact]
    public async Task What_is_written_as_an_address_is_not_registered_however_it_is_written()
    {
        var rules = new EndpointRules(Connections(_ => throw new SocketException((int)SocketError.HostNotFound), PrivateHosts.None));
        foreach (var host in AddressVectors.Hosts)
        {
            var refused = await Record.ExceptionAsync(() => rules.CheckUrlAsync($"https://{host}/x", Guid.Empty, Token));
            Assert.True(refused is ProblemException { Problem.Param: "url" }, $"{host}: {refused}");
        }
    }

    [Fact]
    public async Task A_name_that_leads_to_a_private_address_is_not_registered_and_one_that_nobody_knows_yet_is()
    {
        foreach (var text in AddressVectors.Addresses)
        {
            var rules = new EndpointRules(Connections(_ => [Public, IPAddress.Parse(text)], PrivateHosts.None));
            await Assert.ThrowsAsync<ProblemException>(() => rules.CheckUrlAsync("https://hooks.example.com/x", Guid.Empty, Token));
        }
        await new EndpointRules(Connections(_ => throw new SocketException((int)SocketError.HostNotFound), PrivateHosts.None))
            .CheckUrlAsync("https://hooks.example.com/x", Guid.Empty, Token);
        await new EndpointRules(Connections(_ => [Public], PrivateHosts.None))
            .CheckUrlAsync("https://hooks.example.com:8443/x?key=a@b", Guid.Empty, Token);
    }

    /// <summary>Public when it is asked for the check, private for whoever asks again.</summary>
    [Fact]
    public async Task A_resolver_that_changes_its_mind_gains_nothing()
    {
        var asked = 0;
        var outcome = await SendAsync("https://hooks.example.com/x", _ => [++asked == 1 ? Public : IPAddress.Loopback]);
        Assert.Equal((1, "connection_failed"), (asked, outcome.Error));
        Assert.Equal([Public], _connected);

        outcome = await SendAsync("https://hooks.example.com/x", _ => [++asked == 1 ? Public : IPAddress.Loopback]);
        Assert.Equal((2, "address_not_public"), (asked, outcome.Error));
        Assert.Equal([Public], _connected);
    }

    [Theory]
    [InlineData("127.0.0.1:8080", "http://127.0.0.1:8080/x", true)]
    [InlineData("127.0.0.1:8080", "http://127.0.0.1:8081/x", false)]
    [InlineData("127.0.0.1", "http://127.0.0.2/x", false)]
    [InlineData("127.0.0.1", "ftp://127.0.0.1/x", false)]
    [InlineData("127.0.0.1", "http://user@127.0.0.1/x", false)]
    [InlineData("hooks.corp.internal", "http://hooks.corp.internal/x", true)]
    public async Task Only_the_hosts_that_an_operator_lists_may_be_private(string hosts, string url, bool isGood)
    {
        var rules = new EndpointRules(Connections(_ => [IPAddress.Loopback], new(hosts)));

        if (isGood)
            await rules.CheckUrlAsync(url, Guid.Empty, Token);
        else
            await Assert.ThrowsAsync<ProblemException>(() => rules.CheckUrlAsync(url, Guid.Empty, Token));
    }

    [Fact]
    public void Other_addresses_than_plain_ones_with_tls_are_refused_by_their_text() => Assert.All(
        (string[])
        [
            "https://hooks.example.com/#a", "https://u:p@hooks.example.com/", "https://u@hooks.example.com", "https://@hooks.example.com/",
            "http://hooks.example.com/", "//hooks.example.com/", "file:///etc/passwd", "gopher://hooks.example.com/", "javascript:alert(1)",
            "data:text/plain,x", "https:hooks.example.com", "https:/hooks.example.com", "https:///x", "https://",
            " https://hooks.example.com/",
            "https://hooks.example.com/\r\nX: y", "https://hooks.example.com\t/", "https://127.0.0.1\\@hooks.example.com/",
            "https://hooks.example.com:22/", "https://hooks.example.com:25/", "https://hooks.example.com:0/",
            "https://hooks.example.com:70000/",
            "https://hooks.example.com%00.evil.com/", "https://hooks%2eexample.com/", "https://hooks.example.com./",
        ],
        url => Assert.True(PublicUrl.Mistake(url, PrivateHosts.None) is not null, url));

    Task<Outcome> SendAsync(string url, Func<string, IPAddress[]> resolve)
    {
        using var receiver = new Receiver(Connections(resolve, PrivateHosts.None), Guid.Empty, TimeProvider.System);
        return receiver.SendAsync(SignedEvent.Of(url, Guid.Empty, EventTypes.Test, "{}", DateTimeOffset.UtcNow, []), Token);
    }

    GuardedConnections Connections(Func<string, IPAddress[]> resolve, PrivateHosts allowed) => new(
        allowed,
        (host, _) => Task.FromResult(resolve(host)),
        (addresses, _, _) =>
        {
            foreach (var address in addresses)
                _connected.Enqueue(address);
            throw new SocketException((int)SocketError.ConnectionRefused);
        });
}
