using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Edge;

/// <summary>
/// What governance is measured against: our proxy without it. The product's own server settings, body reader, forwarding and client pool,
/// run with its runtime configuration; no key, scope, rate, lease, meter, settlement or spool. The product itself has no such switch.
/// </summary>
static class Ungoverned
{
    const string Path = "/v1/chat/completions";

    public static async Task RunAsync(int port, int upstream)
    {
        var builder = WebApplication.CreateBuilder();
        builder.UseInlineSockets();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.AddServiceDefaults("ungoverned", LlmGateway.Proxy.Failpoints.All);
        builder.Services.AddSingleton(Upstream.NewClient());
        builder.Services.AddSingleton<Forwarding>();
        var app = builder.Build();
        app.UseServiceDefaults();
        var connection = new ProviderConnection(
            "mock", "openai", $"http://127.0.0.1:{upstream}/v1", "bearer", null, [],
            TimeoutSeconds: 60, Retries: 0, OnAbort: "cancel", Sandbox: false);
        var provider = new Upstream(connection, ["mock-accepts-any-key"]);
        var forwarding = app.Services.GetRequiredService<Forwarding>();
        app.Use(next => http => http.Request.Path.Value == Path ? ForwardAsync(http, provider, forwarding) : next(http));
        app.UseRouting();
        await app.RunAsync();
    }

    static readonly BodyBudget Unbounded = new(long.MaxValue, long.MaxValue);

    static async Task ForwardAsync(HttpContext http, Upstream provider, Forwarding forwarding)
    {
        using var body = await RequestBody.ReadAsync(http, Unbounded, Guid.Empty);
        var (answer, problem) =
            await forwarding.SendAsync(provider, () => provider.Post(Path, body.Memory, stream: false), http.RequestAborted);
        if (answer is null)
        {
            await problem!.ExecuteAsync(http);
            return;
        }
        using (answer)
        {
            http.Response.StatusCode = (int)answer.StatusCode;
            http.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
            http.Response.ContentLength = answer.Content.Headers.ContentLength;
            await RelayAsync(http, answer);
        }
    }

    /// <summary>Each piece as it comes, as the product does with streams.</summary>
    static async Task RelayAsync(HttpContext http, HttpResponseMessage answer)
    {
        await using var upstream = await answer.Content.ReadAsStreamAsync(http.RequestAborted);
        var buffer = ArrayPool<byte>.Shared.Rent(32 * 1024);
        try
        {
            for (int read; (read = await upstream.ReadAsync(buffer, http.RequestAborted)) > 0;)
            {
                http.Response.BodyWriter.Write(buffer.AsSpan(0, read));
                await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
