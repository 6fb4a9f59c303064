using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <param name="asEvents">Whether a stream is asked for as server-sent events; else it is one JSON array.</param>
sealed class GeminiWire(string name, bool asEvents) : Wire(name)
{
    public override (string Limit, string Stop) Finishes => ("MAX_TOKENS", "STOP");

    public override HttpRequestMessage Request(Ask ask)
    {
        var config = new JsonObject { ["maxOutputTokens"] = ask.MaxTokens };
        if (ask.Stop is not null)
        {
            config["stopSequences"] = new JsonArray(ask.Stop);
        }
        var body = new JsonObject
        {
            ["contents"] =
                new JsonArray(new JsonObject { ["role"] = "user", ["parts"] = new JsonArray(new JsonObject { ["text"] = ask.Text }) }),
            ["generationConfig"] = config,
        };
        if (ask.OffersTools)
        {
            body["tools"] = new JsonArray(new JsonObject { ["functionDeclarations"] = new JsonArray(new JsonObject { ["name"] = "f" }) });
        }
        var method = !ask.Streams ? "generateContent" : asEvents ? "streamGenerateContent?alt=sse" : "streamGenerateContent";
        return Post($"/v1beta/models/{ask.Model}:{method}", body, ("x-goog-api-key", ask.Key));
    }

    public override Heard Read(JsonElement whole) => Join([whole], true);

    public override Heard ReadStream(string text)
    {
        if (asEvents)
        {
            JsonElement[] events = [.. Events(text).Select(item => JsonElement.Parse(item.Data))];
            return Join(events, events.Length > 0 && Finish(events[^1]) is not null);
        }
        // The first chunk stands after "[", each of the others after a comma on a line of its own.
        var isClosed = text.EndsWith(']');
        var lines = text.TrimStart('[').Split(",\r\n");
        return Join([.. (isClosed ? [.. lines[..^1], lines[^1][..^1]] : lines[..^1]).Select(line => JsonElement.Parse(line))], isClosed);
    }

    public override string ErrorOf(Provider.Arrived refused)
    {
        var error = refused.Json.GetProperty("error");
        Assert.Equal(refused.Status, error.Long("code"));
        Assert.NotEmpty(error.Text("status"));
        return error.Text("message");
    }

    static Heard Join(JsonElement[] chunks, bool hasEnded)
    {
        var (text, thoughts, calls, error) = ("", "", "", default(string));
        foreach (var chunk in chunks)
        {
            error = chunk.TryGetProperty("error", out var failure) ? failure.Text("message") : error;
            foreach (var part in chunk.TryGetProperty("candidates", out var candidates)
                ? candidates[0].GetProperty("content").GetProperty("parts").EnumerateArray()
                : default)
            {
                if (part.TryGetProperty("functionCall", out var call))
                {
                    calls += Call(call.Text("id"), call.Text("name"), call.GetProperty("args").GetRawText());
                }
                else if (part.TryGetProperty("thought", out _))
                {
                    thoughts += part.Text("text");
                }
                else
                {
                    text += part.Text("text");
                }
            }
        }
        return new(
            text,
            thoughts,
            calls,
            chunks.Select(Finish).LastOrDefault(finish => finish is not null),
            chunks.Select(Usage).LastOrDefault(usage => usage is not null),
            hasEnded && error is null,
            error);
    }

    static string? Finish(JsonElement chunk) => chunk.TryGetProperty("candidates", out var candidates)
        && candidates[0].TryGetProperty("finishReason", out var reason) ? reason.GetString() : null;

    static Counts? Usage(JsonElement chunk)
    {
        if (!chunk.TryGetProperty("usageMetadata", out var usage))
        {
            return null;
        }
        var thoughts = usage.TryGetProperty("thoughtsTokenCount", out var thought) ? thought.GetInt64() : 0;
        var cached = usage.TryGetProperty("cachedContentTokenCount", out var read) ? read.GetInt64() : 0;
        return new(
            usage.Long("promptTokenCount"),
            cached,
            0,
            usage.Long("candidatesTokenCount") + thoughts,
            thoughts,
            usage.Long("totalTokenCount"));
    }
}

static class Elements
{
    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;

    /// <summary>A text that may be missing or null.</summary>
    public static string TextOr(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString()! : "";

    public static long Long(this JsonElement element, string name) => element.GetProperty(name).GetInt64();
}
