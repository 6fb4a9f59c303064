using System.Net;
using System.Net.Sockets;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>The way out: operators' providers may be anywhere, tenants' only where the public internet is.</summary>
public sealed class UpstreamClientTests : IDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    int _connections;

    public UpstreamClientTests()
    {
        _listener.Start();
        _ = ServeAsync();
    }

    int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    [Fact]
    public async Task An_operators_provider_may_be_private_and_a_tenants_may_not()
    {
        using var client = UpstreamClient.New(PrivateHosts.None);

        Assert.Equal(HttpStatusCode.TooManyRequests, await StatusAsync(client, Provider(tenant: false)));
        // A connection to the same host and port is open by now. The tenant's call must not use it.
        await Assert.ThrowsAsync<HttpRequestException>(() => StatusAsync(client, Provider(tenant: true)));
        Assert.Equal(1, _connections);
    }

    [Fact]
    public async Task A_request_that_does_not_say_whose_it_is_counts_as_a_tenants()
    {
        using var client = UpstreamClient.New(PrivateHosts.None);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{Port}/");

        await Assert.ThrowsAsync<HttpRequestException>(() => client.SendAsync(request, Token));
        Assert.Equal(0, _connections);
    }

    [Fact]
    public async Task A_tenants_provider_may_be_private_when_the_operator_allows_the_host()
    {
        using var client = UpstreamClient.New(new PrivateHosts($"127.0.0.1:{Port}"));

        Assert.Equal(HttpStatusCode.TooManyRequests, await StatusAsync(client, Provider(tenant: true)));
    }

    [Fact]
    public async Task Every_answer_tells_the_key_it_was_asked_with()
    {
        using var client = UpstreamClient.New(PrivateHosts.None);
        var upstream = new Upstream(Provider(tenant: false) with { Keys = [new("", 1), new("", 1)] }, [$"a{Port}", $"b{Port}"]);

        Assert.True(upstream.HasFreeKey);
        await StatusAsync(client, upstream);
        Assert.True(upstream.HasFreeKey);
        await StatusAsync(client, upstream);

        Assert.False(upstream.HasFreeKey); // both have been answered 429
    }

    [Theory]
    [InlineData("93.184.216.34", true)]
    [InlineData("93.184.216.34 2606:4700::1111", true)]
    [InlineData("10.0.0.1", false)]
    [InlineData("93.184.216.34 10.0.0.1", false)]
    [InlineData("2606:4700::1111 ::1", false)]
    [InlineData("::ffff:169.254.169.254", false)]
    [InlineData("", false)]
    public async Task Every_answer_of_the_resolver_must_be_public(string answers, bool isGood)
    {
        IPAddress[] addresses = [.. answers.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse)];
        var guard = new GuardedConnections(PrivateHosts.None, (_, _) => Task.FromResult(addresses));

        if (isGood)
            Assert.Equal(addresses, await guard.CheckedAsync("api.example.com", 443, Token));
        else
            await Assert.ThrowsAsync<NotPublicException>(() => guard.CheckedAsync("api.example.com", 443, Token));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]")]
    [InlineData("[::ffff:a9fe:a9fe]")]
    public async Task A_literal_address_is_checked_like_any_other(string host) =>
        await Assert.ThrowsAsync<NotPublicException>(() => new GuardedConnections(PrivateHosts.None).CheckedAsync(host, 443, Token));

    /// <summary>The name is resolved only once, so that a different second answer has no effect.</summary>
    [Fact]
    public async Task A_connection_goes_to_the_address_that_was_checked()
    {
        var asked = 0;
        var guard = new GuardedConnections(
            new($"inner.example.com:{Port}"),
            (_, _) => Task.FromResult<IPAddress[]>([++asked == 1 ? IPAddress.Loopback : IPAddress.None]));
        using var client = new HttpMessageInvoker(new SocketsHttpHandler { ConnectCallback = guard.ConnectAsync, UseProxy = false });
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://inner.example.com:{Port}/");

        using var response = await client.SendAsync(request, Token);

        Assert.Equal((1, 1), (asked, _connections));
        Assert.Equal($"inner.example.com:{Port}", Assert.Single(response.Headers.GetValues("X-Host")));
    }

    public void Dispose() => _listener.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    ProviderConnection Provider(bool tenant) => new(
        "p",
        ProviderWire.OpenAi,
        $"http://127.0.0.1:{Port}/v1",
        "bearer",
        null,
        [],
        60,
        0,
        "cancel",
        Sandbox: false) { Tenant = tenant };

    static Task<HttpStatusCode> StatusAsync(HttpMessageInvoker client, ProviderConnection provider) =>
        StatusAsync(client, new Upstream(provider, ["k"]));

    static async Task<HttpStatusCode> StatusAsync(HttpMessageInvoker client, Upstream upstream)
    {
        using var request = upstream.Request(HttpMethod.Get, "/v1/models");
        using var response = await client.SendAsync(request, Token);
        return response.StatusCode;
    }

    /// <summary>Answers every request with 429 and the host that it asked for, until the listener is closed.</summary>
    async Task ServeAsync()
    {
        while (true)
        {
            var connection = await _listener.AcceptTcpClientAsync();
            Interlocked.Increment(ref _connections);
            _ = AnswerAsync(connection);
        }
    }

    static async Task AnswerAsync(TcpClient connection)
    {
        using (connection)
        {
            var stream = connection.GetStream();
            using var reader = new StreamReader(stream, Encoding.ASCII);
            var host = "";
            while (await reader.ReadLineAsync() is { } line)
            {
                if (line.StartsWith("Host: ", StringComparison.Ordinal))
                    host = line[6..];
                if (line.Length == 0)
                    await stream.WriteAsync(
                        Encoding.ASCII.GetBytes($"HTTP/1.1 429 Too Many Requests\r\nX-Host: {host}\r\nContent-Length: 0\r\n\r\n"));
            }
        }
    }
}
