using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Sends webhooks: signed, a few at a time, each for at most ten seconds.</summary>
sealed class Outbox(TimeProvider time, ILogger<Outbox> log) : BackgroundService
{
    const int Senders = 16;
    const int MaxWaiting = 100_000;

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    readonly HttpClient http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false }) { Timeout = Patience };
    readonly Channel<World> awake = Channel.CreateBounded<World>(MaxWaiting);

    /// <summary>Lets what is ready in this world be sent.</summary>
    public void Wake(World world) => awake.Writer.TryWrite(world);

    public override void Dispose()
    {
        http.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, Senders).Select(_ =>
            Loop.RunAsync("Stripe's webhooks", SendReadyAsync, log, time, stoppingToken)));

    async Task SendReadyAsync(CancellationToken stop)
    {
        var world = await awake.Reader.ReadAsync(stop);
        while (Take(world) is { } taken)
        {
            var hasArrived = await SendAsync(taken.Request, stop);
            lock (world.Gate)
            {
                world.Deliveries.End(taken.Delivery, hasArrived);
            }
        }
    }

    (Delivery Delivery, HttpRequestMessage Request)? Take(World world)
    {
        lock (world.Gate)
        {
            if (world.Deliveries.Next() is not { } delivery)
            {
                return null;
            }
            if (world.Deliveries.HasReady)
            {
                // Another sender helps.
                Wake(world);
            }
            var body = JsonSerializer.Serialize(Body(delivery), Rendering.Readable);
            var request = new HttpRequestMessage(HttpMethod.Post, delivery.Endpoint.Text("url"))
            {
                Content = new StringContent(body, Encoding.UTF8, "application/json"),
            };
            request.Headers.Add("Stripe-Signature", Signature(time.GetUtcNow().ToUnixTimeSeconds(), body, delivery.Endpoint));
            request.Headers.TryAddWithoutValidation("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)");
            return (delivery, request);
        }
    }

    static JsonObject Body(Delivery delivery)
    {
        var body = delivery.Event.Shown();
        if (delivery.Endpoint.Text("api_version") is { } version)
        {
            body["api_version"] = version;
        }
        return body;
    }

    /// <summary>One signature for each active secret, at the machine's time: a receiver compares it with its own.</summary>
    static string Signature(long now, string body, JsonObject endpoint)
    {
        var signatures = new[] { endpoint.Text("_secret"), endpoint.Text("_older_secret") }
            .Where(secret => secret is not null)
            .Select(secret => HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret!), Encoding.UTF8.GetBytes($"{now}.{body}")));
        return $"t={now}," + string.Join(',', signatures.Select(signature => "v1=" + Convert.ToHexStringLower(signature)));
    }

    async Task<bool> SendAsync(HttpRequestMessage request, CancellationToken stop)
    {
        using (request)
        {
            try
            {
                using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
                return answer.IsSuccessStatusCode;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TaskCanceledException && !stop.IsCancellationRequested)
            {
                return false;
            }
        }
    }
}
