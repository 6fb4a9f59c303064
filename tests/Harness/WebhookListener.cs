using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmGateway.Harness;

/// <summary>What a developer's system was told, once.</summary>
/// <param name="Path">Under which it listens.</param>
sealed record Told(string Path, string Body, IReadOnlyDictionary<string, string> Headers)
{
    public JsonElement Event { get; } = JsonSerializer.Deserialize<JsonElement>(Body);

    public string Id => Event.Text("id");

    public string Type => Event.Text("type");

    public long Sequence => Event.GetProperty("sequence").GetInt64();

    /// <summary>Null for a test event.</summary>
    public string? Customer => Event.GetProperty("data").TryGetProperty("customerId", out var customer) ? customer.GetString() : null;

    /// <summary>By both rules, each computed here by hand over the bytes that came.</summary>
    public bool IsSignedWith(string secret)
    {
        var own = Headers["X-LLMGateway-Signature"].Split(',');
        var time = own[0]["t=".Length..];
        var mine = Convert.ToHexStringLower(HMACSHA256.HashData(Utf8(secret), Utf8($"{time}.{Body}")));
        var key = Convert.FromBase64String(secret["whsec_".Length..]);
        var standard = Convert.ToBase64String(HMACSHA256.HashData(key, Utf8($"{Headers["webhook-id"]}.{time}.{Body}")));
        return own.Contains($"v1={mine}")
            && Headers["webhook-signature"].Split(' ').Contains($"v1,{standard}")
            && Headers["webhook-timestamp"] == time
            && Math.Abs(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - long.Parse(time, CultureInfo.InvariantCulture)) < 300
            && (Headers["webhook-id"], Headers["X-LLMGateway-Event-Id"], Headers["X-LLMGateway-Event"]) == (Id, Id, Type);
    }

    static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}

/// <summary>A developer's system: it listens on loopback, keeps what it is told, and answers as a test wants.</summary>
sealed class WebhookListener : IAsyncDisposable
{
    readonly WebApplication _app;
    readonly ConcurrentQueue<Told> _told = [];

    WebhookListener(WebApplication app) => _app = app;

    /// <summary>How it answers; 200 at first.</summary>
    public Func<Told, HttpContext, Task> Answer { get; set; } = (_, _) => Task.CompletedTask;

    public string Url => $"{_app.Urls.First()}/hook";

    /// <summary>In the order of their arrival.</summary>
    public IReadOnlyList<Told> All => [.. _told];

    public static async Task<WebhookListener> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var listener = new WebhookListener(builder.Build());
        listener._app.Run(listener.ListenAsync);
        await listener._app.StartAsync();
        return listener;
    }

    /// <summary>Answers so, whatever comes.</summary>
    public void AnswerWith(int status, string body = "", params (string Name, string Value)[] headers) => Answer = async (_, http) =>
    {
        http.Response.StatusCode = status;
        foreach (var (name, value) in headers)
            http.Response.Headers[name] = value;
        await http.Response.WriteAsync(body);
    };

    /// <summary>What has come, once there is so much.</summary>
    public Task<IReadOnlyList<Told>> ToldAsync(int count, TimeSpan? atMost = null) =>
        Eventually.GetAsync(() => Task.FromResult(All), told => told.Count >= count, $"the arrival of {count} events", atMost);

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(0);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    async Task ListenAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body, new UTF8Encoding(false, throwOnInvalidBytes: true));
        var told = new Told(
            http.Request.Path,
            await reader.ReadToEndAsync(),
            http.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase));
        _told.Enqueue(told);
        await Answer(told, http);
    }
}
