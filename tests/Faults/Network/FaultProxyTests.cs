using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmGateway.Faults;

/// <summary>The faulty network itself, in front of a server that answers every byte with the same byte.</summary>
public sealed class FaultProxyTests : IAsyncLifetime
{
    readonly TcpListener _echo = new(IPAddress.Loopback, 0);
    readonly MemoryStream _heard = new();
    FaultProxy _proxy = null!;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _echo.Start();
        _proxy = new FaultProxy(((IPEndPoint)_echo.LocalEndpoint).Port);
        _ = EchoAsync();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _echo.Dispose();
    }

    [Fact]
    public async Task Without_a_fault_everything_passes_and_ends_properly() => Assert.Equal(("hello", "end"), await SayAsync("hello"));

    [Fact]
    public async Task Slices_and_latency_change_no_byte()
    {
        _proxy.Fault = Fault.ByteByByte with { Latency = TimeSpan.FromMilliseconds(1) };
        Assert.Equal(("hello", "end"), await SayAsync("hello"));
    }

    [Fact]
    public async Task Refused_means_that_nobody_listens_until_it_is_over()
    {
        _proxy.Fault = Fault.Refused;
        Assert.Equal(SocketError.ConnectionRefused, (await Assert.ThrowsAsync<SocketException>(() => SayAsync("hello"))).SocketErrorCode);
        _proxy.Fault = Fault.None;
        Assert.Equal(("hello", "end"), await SayAsync("hello"));
    }

    [Fact]
    public async Task A_reset_can_come_at_once_and_as_often_as_wanted()
    {
        _proxy.Fault = Fault.ResetOnAccept with { Times = 1 };
        Assert.Equal(("", "reset"), await SayAsync("hello"));
        Assert.Equal(("hello", "end"), await SayAsync("hello"));
        Assert.Equal((1, 2), (_proxy.Breaks, _proxy.Accepted));
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(3, "hel")]
    public async Task A_cut_after_so_many_bytes_lets_exactly_these_through(int bytes, string heard)
    {
        _proxy.Fault = Fault.CutAfter(bytes) with { Resets = false };
        Assert.Equal((heard, "end"), await SayAsync("hello"));
    }

    [Fact]
    public async Task A_cut_at_a_pattern_finds_it_across_pieces_and_counts_its_occurrences()
    {
        _proxy.Fault = Fault.CutAt("lo", 2) with { Resets = false };
        Assert.Equal(("hello", "end"), await SayAsync("hello"));
        Assert.Equal(("hello, hello", "end"), await SayAsync("hello, ", "hel", "lo, hello"));
    }

    [Fact]
    public async Task What_was_sent_before_a_cut_in_the_request_arrives_and_is_not_answered()
    {
        _proxy.Fault = Fault.CutAt("COMMIT", way: Way.ToServer);
        Assert.Equal(("", "reset"), await SayAsync("COMMIT"));
        await Eventually.HoldsAsync(() => Task.FromResult(Encoding.UTF8.GetString(_heard.ToArray()) == "COMMIT"), "the arrival");
    }

    [Fact]
    public async Task No_answer_means_that_the_server_hears_and_the_client_waits()
    {
        _proxy.Fault = Fault.NoAnswer;
        using var client = await ConnectAsync();
        await client.SendAsync("hello"u8.ToArray(), Token);
        await Eventually.HoldsAsync(() => Task.FromResult(_heard.Length == 5), "the arrival");
        Assert.Equal(0, client.Available);
    }

    [Fact]
    public async Task A_black_hole_takes_everything_and_a_connection_that_lost_bytes_in_it_never_comes_back()
    {
        _proxy.Fault = Fault.BlackHole;
        using var client = await ConnectAsync();
        await client.SendAsync("lost"u8.ToArray(), Token);
        await Eventually.HoldsAsync(() => Task.FromResult(_proxy.Swallowed == 4), "the loss");
        _proxy.Fault = Fault.None;
        Assert.Equal(("hello", "end"), await SayAsync("hello"));
        await client.SendAsync("lost too"u8.ToArray(), Token);
        var ended = await Assert.ThrowsAsync<SocketException>(async () => await client.ReceiveAsync(new byte[1], Token));
        Assert.Equal((SocketError.ConnectionReset, 5), (ended.SocketErrorCode, _heard.Length));
    }

    async Task<Socket> ConnectAsync()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, _proxy.Port, Token);
        return client;
    }

    /// <summary>What comes back, and how it ends.</summary>
    async Task<(string Heard, string End)> SayAsync(params string[] pieces)
    {
        var heard = new MemoryStream();
        var buffer = new byte[1024];
        try
        {
            using var client = await ConnectAsync();
            foreach (var piece in pieces)
                await client.SendAsync(Encoding.UTF8.GetBytes(piece), Token);
            client.Shutdown(SocketShutdown.Send);
            for (int read; (read = await client.ReceiveAsync(buffer, Token)) > 0;)
                heard.Write(buffer, 0, read);
            return (Encoding.UTF8.GetString(heard.ToArray()), "end");
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset
            or SocketError.Shutdown
            or SocketError.NotConnected)
        {
            return (Encoding.UTF8.GetString(heard.ToArray()), "reset");
        }
    }

    async Task EchoAsync()
    {
        try
        {
            for (; ; )
                _ = EchoAsync(await _echo.AcceptSocketAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    async Task EchoAsync(Socket client)
    {
        using (client)
        {
            try
            {
                var buffer = new byte[1024];
                for (int read; (read = await client.ReceiveAsync(buffer)) > 0;)
                {
                    lock (_heard)
                        _heard.Write(buffer, 0, read);
                    await client.SendAsync(buffer.AsMemory(0, read));
                }
            }
            catch (SocketException)
            {
                // The fault proxy has broken the connection.
            }
        }
    }
}
