using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

sealed class AnthropicWire() : Wire("anthropic")
{
    public override (string Limit, string Stop) Finishes => ("max_tokens", "stop_sequence");

    public override HttpRequestMessage Request(Ask ask)
    {
        var body = new JsonObject
        {
            ["model"] = ask.Model,
            ["stream"] = ask.Streams,
            ["max_tokens"] = ask.MaxTokens ?? 1_000,
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = ask.Text }),
        };
        if (ask.OffersTools)
        {
            body["tools"] = new JsonArray(new JsonObject { ["name"] = "f" });
        }
        if (ask.Stop is not null)
        {
            body["stop_sequences"] = new JsonArray(ask.Stop);
        }
        return Post("/v1/messages", body, ("x-api-key", ask.Key), ("anthropic-version", "2023-06-01"));
    }

    public override Heard Read(JsonElement whole)
    {
        var (text, thoughts, calls) = ("", "", "");
        foreach (var block in whole.GetProperty("content").EnumerateArray())
        {
            _ = block.Text("type") switch
            {
                "thinking" => thoughts += block.Text("thinking"),
                "text" => text += block.Text("text"),
                _ => calls += Call(block.Text("id"), block.Text("name"), block.GetProperty("input").GetRawText()),
            };
        }
        return new(text, thoughts, calls, whole.Text("stop_reason"), Usage(whole), true, null);
    }

    public override Heard ReadStream(string text)
    {
        var (finish, error, hasEnded, usage) = (default(string), default(string), false, default(Counts));
        var blocks = new SortedDictionary<int, (JsonElement Start, string Added)>();
        foreach (var (name, data) in Events(text))
        {
            var json = JsonElement.Parse(data);
            Assert.Equal(name, json.Text("type"));
            var index = json.TryGetProperty("index", out var place) ? place.GetInt32() : 0;
            switch (name)
            {
                case "message_start": usage = Usage(json.GetProperty("message")); break;
                case "content_block_start": blocks[index] = (json.GetProperty("content_block"), ""); break;
                case "content_block_delta":
                    var delta = json.GetProperty("delta");
                    blocks[index] = (
                        blocks[index].Start,
                        blocks[index].Added + delta.TextOr("text") + delta.TextOr("thinking") + delta.TextOr("partial_json"));
                    break;
                case "message_delta":
                    finish = json.GetProperty("delta").Text("stop_reason");
                    usage = Usage(json) ?? usage;
                    break;
                case "message_stop": hasEnded = true; break;
                case "error": error = json.GetProperty("error").Text("message"); break;
            }
        }
        string Added(string type) =>
            string.Concat(blocks.Values.Where(block => block.Start.Text("type") == type).Select(block => block.Added));
        var calls = string.Concat(blocks.Values
            .Where(block => block.Start.Text("type") == "tool_use")
            .Select(block => Call(block.Start.Text("id"), block.Start.Text("name"), block.Added)));
        return new(Added("text"), Added("thinking"), calls, finish, usage, hasEnded, error);
    }

    public override string ErrorOf(Provider.Arrived refused)
    {
        Assert.Equal("error", refused.Json.Text("type"));
        Assert.Equal(refused.Headers["request-id"], refused.Json.Text("request_id"));
        Assert.NotEmpty(refused.Json.GetProperty("error").Text("type"));
        return refused.Json.GetProperty("error").Text("message");
    }

    static Counts? Usage(JsonElement message)
    {
        if (!message.TryGetProperty("usage", out var usage))
        {
            return null;
        }
        var (cached, written) = (usage.Long("cache_read_input_tokens"), usage.Long("cache_creation_input_tokens"));
        return new(
            usage.Long("input_tokens") + cached + written,
            cached,
            written,
            usage.Long("output_tokens"),
            usage.GetProperty("output_tokens_details").Long("thinking_tokens"),
            null);
    }
}
