using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Harness;

/// <summary>An HTTP answer, read to its end.</summary>
sealed record Reply(int Status, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders, byte[] Bytes)
{
    public string Text => Encoding.UTF8.GetString(Bytes);

    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Bytes);

    /// <summary>A header's value, or null.</summary>
    public string? this[string header] =>
        Headers.TryGetValues(header, out var values) || ContentHeaders.TryGetValues(header, out values) ? string.Join(", ", values) : null;

    /// <summary>The gateway's id of the request, as usage records know it.</summary>
    public Guid RequestId => Guid.ParseExact(this["X-Request-Id"]!["req_".Length..], "N");

    /// <summary>A problem's. Null of an answer that is none, also where it has no body.</summary>
    public string? Code =>
        Bytes.Length > 0 && Json.TryGetProperty("error", out var error) ? error.GetProperty("code").GetString() : null;

    /// <summary>The answer's text, of a whole answer or of a stream's pieces put together.</summary>
    public string Content => Text.StartsWith('{')
        ? Json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!
        : string.Concat(Chunks.SelectMany(chunk => chunk.TryGetProperty("choices", out var choices) ? choices.EnumerateArray() : default)
            .Select(choice => choice.GetProperty("delta").TryGetProperty("content", out var content) ? content.GetString() : ""));

    /// <summary>The data of each event of a stream, without the end marker.</summary>
    public IEnumerable<JsonElement> Chunks =>
        Events.Where(data => data != "[DONE]").Select(data => JsonSerializer.Deserialize<JsonElement>(data));

    public IEnumerable<string> Events => Text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(frame =>
    {
        Assert.StartsWith("data: ", frame);
        return frame["data: ".Length..];
    });

    public static async Task<Reply> ReadAsync(HttpResponseMessage response)
    {
        using (response)
            return new((int)response.StatusCode, response.Headers, response.Content.Headers, await response.Content.ReadAsByteArrayAsync());
    }

    public Reply MustBe(int status)
    {
        Assert.True(Status == status, $"expected status {status}, got {Status}: {Text}");
        return this;
    }

    public Reply MustBeOneOf(params int[] statuses)
    {
        Assert.True(statuses.Contains(Status), $"expected one of {string.Join(", ", statuses)}, got {Status}: {Text}");
        return this;
    }

    /// <summary>
    /// The one error body: OpenAI's object for its clients, the top-level members for others, and the id that support asks for.
    /// </summary>
    public Reply MustBeProblem(int status, string code, string? param = null)
    {
        MustBe(status);
        var error = Json.GetProperty("error");
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.NotEmpty(error.GetProperty("type").GetString()!);
        var message = error.GetProperty("message").GetString()!;
        Assert.NotEmpty(message);
        if (param is not null)
            Assert.Contains(param, message);
        Assert.Equal(message, Json.GetProperty("message").GetString());
        Assert.Equal(status, Json.Int("status"));
        Assert.Equal(this["X-Request-Id"], Json.GetProperty("requestId").GetString());
        Assert.StartsWith("req_", this["X-Request-Id"]);
        return this;
    }

    public override string ToString() => $"{Status} {Text}";
}
