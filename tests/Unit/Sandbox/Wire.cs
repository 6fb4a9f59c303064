using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>A question to any wire.</summary>
sealed record Ask(string Model, string Text)
{
    public bool Streams { get; init; }

    public bool OffersTools { get; init; }

    public int? MaxTokens { get; init; }

    public string? Stop { get; init; }

    public string Key { get; init; } = "k";
}

/// <summary>
/// Tokens, reported in the wire's own way and made comparable: input with what came from and went to a cache, output with what was thought.
/// </summary>
sealed record Counts(long Input, long Cached, long Written, long Output, long Thoughts, long? Total);

/// <summary>What a caller understands of an answer.</summary>
/// <param name="Calls">A line for each tool call: id, name and arguments.</param>
/// <param name="HasEnded">Whether the wire's end marker was there.</param>
sealed record Heard(string Text, string Thoughts, string Calls, string? Finish, Counts? Usage, bool HasEnded, string? Error)
{
    public int Words => (Text + " " + Thoughts).Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
}

/// <summary>How a caller of one wire asks and reads: written from the provider's documents, not from the sandbox's code.</summary>
abstract class Wire(string name)
{
    public static readonly IReadOnlyList<Wire> All =
    [
        new ChatWire(),
        new ResponsesWire(),
        new AnthropicWire(),
        new GeminiWire("gemini", true),
        new GeminiWire("gemini array", false),
    ];

    public string Name => name;

    public static Wire Named(string name) => All.Single(wire => wire.Name == name);

    public abstract HttpRequestMessage Request(Ask ask);

    public abstract Heard Read(JsonElement whole);

    /// <summary>Reads the events that have arrived whole; what is left of a cut one is not looked at.</summary>
    public abstract Heard ReadStream(string text);

    /// <summary>The message of an error in the wire's shape; throws when it is not.</summary>
    public abstract string ErrorOf(Provider.Arrived refused);

    /// <summary>The name of the reason for an answer that the limit, or the caller's stop text, ended.</summary>
    public abstract (string Limit, string Stop) Finishes { get; }

    protected static HttpRequestMessage Post(string path, JsonObject body, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        foreach (var (header, value) in headers)
        {
            request.Headers.Add(header, value);
        }
        return request;
    }

    /// <summary>Name and data of each event that has arrived whole.</summary>
    public static IEnumerable<(string? Name, string Data)> Events(string stream) =>
        stream.ReplaceLineEndings("\n").Split("\n\n")[..^1].Select(frame => frame.Split('\n')).Select(lines => (
            lines.FirstOrDefault(line => line.StartsWith("event: ", StringComparison.Ordinal))?["event: ".Length..],
            lines.Single(line => line.StartsWith("data: ", StringComparison.Ordinal))["data: ".Length..]));

    /// <summary>Arguments without what JSON leaves free.</summary>
    protected static string Call(string id, string name, string arguments) =>
        $"{id} {name} {JsonSerializer.Serialize(JsonElement.Parse(arguments.Length == 0 ? "{}" : arguments))}\n";
}

sealed class ChatWire() : Wire("chat")
{
    public override (string Limit, string Stop) Finishes => ("length", "stop");

    public override HttpRequestMessage Request(Ask ask)
    {
        var body = new JsonObject
        {
            ["model"] = ask.Model,
            ["stream"] = ask.Streams,
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = ask.Text }),
        };
        if (ask.Streams)
        {
            body["stream_options"] = new JsonObject { ["include_usage"] = true };
        }
        if (ask.OffersTools)
        {
            body["tools"] = new JsonArray(new JsonObject { ["type"] = "function" });
        }
        body["max_tokens"] = ask.MaxTokens;
        body["stop"] = ask.Stop;
        return Post("/v1/chat/completions", body, ("Authorization", "Bearer " + ask.Key));
    }

    public override Heard Read(JsonElement whole)
    {
        var choice = whole.GetProperty("choices")[0];
        var message = choice.GetProperty("message");
        var calls = message.TryGetProperty("tool_calls", out var made) ? string.Concat(made.EnumerateArray().Select(call =>
            Call(call.Text("id"), call.GetProperty("function").Text("name"), call.GetProperty("function").Text("arguments")))) : "";
        return new(
            message.TextOr("content"),
            message.TextOr("reasoning_content"),
            calls,
            choice.Text("finish_reason"),
            Usage(whole),
            true,
            null);
    }

    public override Heard ReadStream(string text)
    {
        var (said, thoughts, finish, error, calls) = ("", "", default(string), default(string), new SortedDictionary<int, string[]>());
        Counts? usage = null;
        var events = Events(text).ToArray();
        foreach (var chunk in events.Where(item => item.Data != "[DONE]").Select(item => JsonElement.Parse(item.Data)))
        {
            usage = Usage(chunk) ?? usage;
            error = chunk.TryGetProperty("error", out var failure) ? failure.Text("message") : error;
            if (!chunk.TryGetProperty("choices", out var choices) || choices.GetArrayLength() == 0)
            {
                continue;
            }
            var delta = choices[0].GetProperty("delta");
            said += delta.TextOr("content");
            thoughts += delta.TextOr("reasoning_content");
            finish = choices[0].TextOr("finish_reason") is { Length: > 0 } reason ? reason : finish;
            foreach (var call in delta.TryGetProperty("tool_calls", out var made) ? made.EnumerateArray() : default)
            {
                var function = call.GetProperty("function");
                var place = call.GetProperty("index").GetInt32();
                calls.TryAdd(place, [call.TextOr("id"), function.TextOr("name"), ""]);
                calls[place][2] += function.Text("arguments");
            }
        }
        return new(
            said,
            thoughts,
            string.Concat(calls.Values.Select(call => Call(call[0], call[1], call[2]))),
            finish,
            usage,
            events is [.., (_, "[DONE]")],
            error);
    }

    public override string ErrorOf(Provider.Arrived refused)
    {
        var error = refused.Json.GetProperty("error");
        Assert.NotEmpty(error.Text("type"));
        return error.Text("message");
    }

    static Counts? Usage(JsonElement chunk) => chunk.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object
        ? new(
            usage.Long("prompt_tokens"),
            usage.GetProperty("prompt_tokens_details").Long("cached_tokens"),
            0,
            usage.Long("completion_tokens"),
            usage.GetProperty("completion_tokens_details").Long("reasoning_tokens"),
            usage.Long("total_tokens"))
        : null;
}
