using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmGateway.Sandbox;
using Microsoft.AspNetCore.Builder;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>The sandbox on a port of its own, as its callers see it.</summary>
public sealed class Provider : IAsyncLifetime
{
    static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    readonly WebApplication _app = Server.Build(["--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=Warning"]);

    public HttpClient Http { get; } = new() { Timeout = Bound };

    public async ValueTask InitializeAsync()
    {
        await _app.StartAsync();
        Http.BaseAddress = new(_app.Urls.Single());
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    /// <summary>What arrived of an answer, whole or not. A status of 0 means that no answer began.</summary>
    /// <param name="Length">What the answer said of its length.</param>
    internal sealed record Arrived(int Status, byte[] Body, bool IsCut, long? Length, IReadOnlyDictionary<string, string> Headers)
    {
        public string Text => Encoding.UTF8.GetString(Body);

        public JsonElement Json => JsonElement.Parse(Body);
    }

    internal async Task<Arrived> SendAsync(HttpRequestMessage request, CancellationToken leave = default)
    {
        using var body = new MemoryStream();
        HttpResponseMessage? answer = null;
        try
        {
            answer = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave);
            await using var stream = await answer.Content.ReadAsStreamAsync(leave);
            await stream.CopyToAsync(body, leave);
            return Result(isCut: false);
        }
        catch (Exception cut) when (cut is IOException or HttpRequestException)
        {
            return Result(isCut: true);
        }
        finally
        {
            answer?.Dispose();
        }

        Arrived Result(bool isCut) =>
            new((int?)answer?.StatusCode ?? 0, body.ToArray(), isCut, answer?.Content.Headers.ContentLength, answer is null
                ? new Dictionary<string, string>()
                : answer.Headers
                    .Concat(answer.Content.Headers)
                    .ToDictionary(header => header.Key, header => string.Join(',', header.Value), StringComparer.OrdinalIgnoreCase));
    }

    /// <summary>Posts JSON with a bearer key, which is what most of OpenAI's routes want.</summary>
    internal Task<Arrived> PostAsync(string path, string json) => SendAsync(new(HttpMethod.Post, path)
    {
        Headers = { { "Authorization", "Bearer k" } },
        Content = new StringContent(json, Encoding.UTF8, "application/json"),
    });

    internal Task<Arrived> GetAsync(string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }
        return SendAsync(request);
    }

    /// <summary>The log's entry of a tagged call, as soon as it is as wanted.</summary>
    internal async Task<JsonElement> LoggedAsync(string tag, Func<JsonElement, bool> isGood)
    {
        var end = DateTime.UtcNow + Bound;
        while (true)
        {
            var log = await Http.GetFromJsonAsync<JsonElement>($"/sandbox/requests?tag={tag}");
            if (log.GetProperty("requests").EnumerateArray().FirstOrDefault(isGood) is { ValueKind: JsonValueKind.Object } found)
            {
                return found;
            }
            Assert.True(DateTime.UtcNow < end, $"The log of {tag} is {log}");
            await Task.Delay(10);
        }
    }
}
