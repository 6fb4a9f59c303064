using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using LlmGateway.Billing;

namespace LlmGateway.EndToEnd;

/// <summary>What strangers may cost at the address for Stripe's events, and who has events handled when there are many.</summary>
public sealed class EventRouteTests : IAsyncLifetime
{
    const int Readers = 64;

    OwnBilling _own = null!;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _own = await OwnBilling.StartAsync(OwnBilling.ModeOf(new()));

    public ValueTask DisposeAsync() => _own.DisposeAsync();

    [Fact]
    public async Task A_body_may_be_so_large_and_no_larger_whether_its_length_is_said_or_not()
    {
        Assert.Equal(200, (await SendAsync(BodyOf(ReceiveEvent.MaxBytes), isLengthSaid: true)).Status);
        Assert.Equal(200, (await SendAsync(BodyOf(ReceiveEvent.MaxBytes), isLengthSaid: false)).Status);
        foreach (var isLengthSaid in (bool[])[true, false])
            (await SendAsync(BodyOf(ReceiveEvent.MaxBytes + 1), isLengthSaid)).MustBeProblem(413, "body_too_large", null);
        Assert.Equal(2, await _own.NumberAsync("select count(*) from stripe_event"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(-301)]
    public async Task Who_shows_no_signature_of_this_moment_is_answered_before_a_byte_of_the_body_is_read(int? offset)
    {
        using var stranger = await OpenAsync(offset is { } seconds ? $"Stripe-Signature: {Forged(seconds)}\r\n" : "", "");

        Assert.Equal("HTTP/1.1 400 Bad Request", await FirstLineAsync(stranger));
    }

    [Fact]
    public async Task So_many_bodies_are_read_at_once_and_whose_stalls_is_let_go()
    {
        var strangers = new List<TcpClient>();
        try
        {
            for (var i = 0; i < Readers; i++)
                strangers.Add(await OpenAsync($"Stripe-Signature: {Forged(0)}\r\n", "{"));
            await Eventually.HoldsAsync(async () => (await SendAsync(BodyOf(200), true)).Status == 503, "that no place is left");

            Assert.All(
                await Task.WhenAll(strangers.Select(FirstLineAsync)), line => Assert.Equal("HTTP/1.1 408 Request Timeout", line));
            Assert.Equal(200, (await SendAsync(BodyOf(200), true)).Status);
        }
        finally
        {
            strangers.ForEach(stranger => stranger.Dispose());
        }
    }

    [Fact]
    public async Task Events_of_one_organization_that_take_long_leave_places_for_those_of_others()
    {
        var world = new StripeWorld();
        var mode = OwnBilling.ModeOf(world);
        await using var own = await OwnBilling.StartAsync(mode);
        var slow = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(async _ => await own.PaidAsync(await Backend.App.NewUserAsync(credit: null), mode)));
        var other = await Backend.Other.NewUserAsync(credit: null);
        await own.PaidAsync(other, mode);
        await own.ReconcileAsync(everything: false);
        foreach (var payment in slow)
            await world.OrderAsync("faults", new
            {
                kind = "latency", match = $"GET /v1/payment_intents/{payment.Intent}", count = 100, milliseconds = 60_000,
            });

        await own.LetRunAsync<EventWorker>();
        await Eventually.GetAsync(other.BalanceAsync, balance => balance == 8_333_333_333, "another organization's top-up");

        var owner = slow[0].Organization;
        Assert.Equal(0, await own.NumberAsync("select count(*) from stripe_event where owner = $1 and reason is not null", owner));
        Assert.InRange(
            await own.NumberAsync("select count(*) from stripe_event where owner = $1 and attempts > 0", owner), 1, slow.Length - 1);
    }

    /// <summary>As anybody can write it who does not know the secret.</summary>
    static string Forged(int offset) => $"t={DateTimeOffset.UtcNow.ToUnixTimeSeconds() + offset},v1={new string('0', 64)}";

    static byte[] BodyOf(int bytes)
    {
        var begin = $$"""{"id":"evt_{{Guid.NewGuid():N}}","type":"a.type.of.tomorrow","livemode":false,"pad":" """.TrimEnd();
        return Encoding.UTF8.GetBytes($"{begin}{new string('x', bytes - begin.Length - 2)}\"}}");
    }

    async Task<Reply> SendAsync(byte[] body, bool isLengthSaid)
    {
        var at = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{at}."), .. body];
        var mac = Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(OwnBilling.WebhookSecret), signed));
        var request = Gateway.Request("POST", ReceiveEvent.Paths[0], at: _own.Url, headers: [("Stripe-Signature", $"t={at},v1={mac}")]);
        request.Content = new ByteArrayContent(body);
        request.Headers.TransferEncodingChunked = !isLengthSaid;
        return await Gateway.SendAsync(request);
    }

    /// <summary>A call that says it has a megabyte less a little, and does not send it.</summary>
    async Task<TcpClient> OpenAsync(string headers, string begin)
    {
        var client = new TcpClient();
        await client.ConnectAsync(_own.Url.Host, _own.Url.Port, Token);
        var head = $"POST {ReceiveEvent.Paths[0]} HTTP/1.1\r\nHost: {_own.Url.Authority}\r\n{headers}Content-Length: 1000000\r\n\r\n";
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head + begin), Token);
        return client;
    }

    static async Task<string?> FirstLineAsync(TcpClient client)
    {
        using var reader = new StreamReader(client.GetStream(), leaveOpen: true);
        return await reader.ReadLineAsync(Token);
    }
}
