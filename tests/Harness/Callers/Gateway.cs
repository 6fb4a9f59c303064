using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Harness;

/// <summary>The gateway's public side, as any HTTP caller has it.</summary>
static class Gateway
{
    /// <summary>
    /// Connections are not limited, so that parallel calls are parallel. They are not drained, so that a caller who leaves a stream has
    /// left at once.
    /// </summary>
    static readonly HttpClient Client =
        new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false, MaxResponseDrainSize = 0 });

    public static Task<Reply> SendAsync(
        string method,
        string path,
        string? credential = null,
        string? json = null,
        Uri? at = null,
        params (string Name, string Value)[] headers) =>
        SendAsync(Request(method, path, credential, json, at, headers));

    public static async Task<Reply> SendAsync(HttpRequestMessage request) => await Reply.ReadAsync(await Client.SendAsync(request));

    /// <summary>Returns when the headers are there; the body is the caller's to read, or to abandon by disposing.</summary>
    public static Task<HttpResponseMessage> OpenAsync(HttpRequestMessage request, CancellationToken token = default) =>
        Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);

    public static HttpRequestMessage Request(
        string method,
        string path,
        string? credential = null,
        string? json = null,
        Uri? at = null,
        params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), new Uri(at ?? Stack.Proxy, path));
        if (credential is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", credential);
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        return request;
    }

    /// <summary>Nano-dollars of an amount on the wire, which must be a decimal string in its shortest form.</summary>
    public static long Nanos(JsonElement amount)
    {
        var text = amount.GetString()!;
        var value = decimal.Parse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        Assert.Equal(text, value.ToString("0.#########", CultureInfo.InvariantCulture));
        return (long)(value * 1_000_000_000);
    }

    public static string Usd(long nanos) => (nanos / 1_000_000_000m).ToString("0.#########", CultureInfo.InvariantCulture);
}
