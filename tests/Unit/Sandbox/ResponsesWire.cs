using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

sealed class ResponsesWire() : Wire("responses")
{
    public override (string Limit, string Stop) Finishes => ("max_output_tokens", "");

    public override HttpRequestMessage Request(Ask ask)
    {
        var body = new JsonObject
        {
            ["model"] = ask.Model,
            ["stream"] = ask.Streams,
            ["input"] = ask.Text,
            ["max_output_tokens"] = ask.MaxTokens,
        };
        if (ask.OffersTools)
        {
            body["tools"] = new JsonArray(new JsonObject { ["type"] = "function", ["name"] = "f" });
        }
        return Post("/v1/responses", body, ("Authorization", "Bearer " + ask.Key));
    }

    public override Heard Read(JsonElement whole)
    {
        var (text, thoughts, calls) = ("", "", "");
        foreach (var item in whole.GetProperty("output").EnumerateArray())
        {
            _ = item.Text("type") switch
            {
                "reasoning" => thoughts += string.Concat(item.GetProperty("summary").EnumerateArray().Select(part => part.Text("text"))),
                "message" => text += string.Concat(item.GetProperty("content").EnumerateArray().Select(part => part.Text("text"))),
                _ => calls += Call(item.Text("call_id"), item.Text("name"), item.Text("arguments")),
            };
        }
        var finish = whole.GetProperty("incomplete_details") is { ValueKind: JsonValueKind.Object } why
            ? why.Text("reason")
            : whole.Text("status");
        return new(text, thoughts, calls, finish, Usage(whole), true, null);
    }

    public override Heard ReadStream(string text)
    {
        var (said, thoughts, error, items, arguments) =
            ("", "", default(string), new SortedDictionary<int, JsonElement>(), new Dictionary<int, string>());
        Heard? end = null;
        foreach (var (name, data) in Events(text))
        {
            var json = JsonElement.Parse(data);
            Assert.Equal(name, json.Text("type"));
            var place = json.TryGetProperty("output_index", out var index) ? index.GetInt32() : 0;
            switch (name)
            {
                case "response.output_item.added": items[place] = json.GetProperty("item"); break;
                case "response.output_text.delta": said += json.Text("delta"); break;
                case "response.reasoning_summary_text.delta": thoughts += json.Text("delta"); break;
                case "response.function_call_arguments.delta":
                    arguments[place] = arguments.GetValueOrDefault(place, "") + json.Text("delta");
                    break;
                case "response.function_call_arguments.done":
                    Assert.Equal(json.Text("arguments"), arguments.GetValueOrDefault(place, ""));
                    break;
                case "response.completed" or "response.incomplete": end = Read(json.GetProperty("response")); break;
                case "error": error = json.Text("message"); break;
                case "response.failed": Assert.Equal(error, json.GetProperty("response").GetProperty("error").Text("message")); break;
            }
        }
        var calls = string.Concat(items.Where(item => item.Value.Text("type") == "function_call").Select(item =>
            Call(item.Value.Text("call_id"), item.Value.Text("name"), arguments.GetValueOrDefault(item.Key, ""))));
        return new(said, thoughts, calls, end?.Finish, end?.Usage, end is not null, error);
    }

    public override string ErrorOf(Provider.Arrived refused) => new ChatWire().ErrorOf(refused);

    static Counts? Usage(JsonElement response) => response.GetProperty("usage") is { ValueKind: JsonValueKind.Object } usage
        ? new(usage.Long("input_tokens"), usage.GetProperty("input_tokens_details").Long("cached_tokens"), 0, usage.Long("output_tokens"),
            usage.GetProperty("output_tokens_details").Long("reasoning_tokens"), usage.Long("total_tokens"))
        : null;
}
