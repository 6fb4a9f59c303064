using System.Text;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using LlmGateway.UnitTests.Sandbox;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// A model that wants its thoughts back (DeepSeek's, Kimi) goes on after a tool, whichever wire the agent speaks; no other provider is told
/// those thoughts.
/// </summary>
public sealed class ThoughtMarkTests(Provider provider) : IClassFixture<Provider>
{
    const string Order = "Look. [[thinks:3]] [[tool:look {\"at\":\"the sea\"}]]";

    /// <summary>Each wire's request with an empty history, and what a turn of the model and a tool's result look like in it.</summary>
    static readonly Dictionary<string, (string Request, Func<JsonNode, IEnumerable<JsonNode>> Said, string Result)> Agents = new()
    {
        ["messages"] = (
            """
            {"model":"m","max_tokens":500,"tools":[{"name":"look","input_schema":{"type":"object"}}],
            "messages":[{"role":"user","content":"ORDER"}]}
            """,
            answer => [new JsonObject { ["role"] = "assistant", ["content"] = answer["content"]!.DeepClone() }],
            """{"role":"user","content":[{"type":"tool_result","tool_use_id":"ID","content":"waves"}]}"""),
        ["responses"] = (
            """
            {"model":"m","store":false,"tools":[{"type":"function","name":"look","parameters":{"type":"object"}}],
            "input":[{"role":"user","content":"ORDER"}]}
            """,
            answer => answer["output"]!.AsArray().Select(item => item!.DeepClone()),
            """{"type":"function_call_output","call_id":"ID","output":"waves"}"""),
        ["gemini"] = (
            """{"tools":[{"functionDeclarations":[{"name":"look"}]}],"contents":[{"role":"user","parts":[{"text":"ORDER"}]}]}""",
            answer => [answer["candidates"]![0]!["content"]!.DeepClone()],
            """{"role":"user","parts":[{"functionResponse":{"id":"ID","name":"look","response":{"output":"waves"}}}]}"""),
    };

    static readonly ProviderConnection Own =
        new("deep", ProviderWire.OpenAiCompatible, "http://deep/v1", "none", null, [], 60, 0, "cancel", Sandbox: false);

    [Theory]
    [InlineData("messages", "deepseek"), InlineData("messages", "kimi")]
    [InlineData("responses", "deepseek"), InlineData("responses", "kimi")]
    [InlineData("gemini", "deepseek"), InlineData("gemini", "kimi")]
    public async Task An_agent_goes_on_after_a_tool(string agent, string model)
    {
        model = $"m-{model}-like";
        var wire = AnswerCases.Wires[agent];
        var history = JsonNode.Parse(Agents[agent].Request.Replace("ORDER", Escaped(Order), StringComparison.Ordinal))!;
        var first = await SendAsync(Composed(wire, history, Own, model));
        Assert.Equal(200, first.Status);
        var answer = Told(wire, first.Body, Own.Id);
        var turns = (history["messages"] ?? history["input"] ?? history["contents"])!.AsArray();
        foreach (var said in Agents[agent].Said(answer))
            turns.Add(said);
        turns.Add(JsonNode.Parse(Agents[agent].Result.Replace("ID", IdOf(answer), StringComparison.Ordinal)));
        turns.Add(JsonNode.Parse(Agents[agent].Request.Replace("ORDER", "And? [[thinks:1]]", StringComparison.Ordinal))!.AsObject()
            .Select(member => member.Value).OfType<JsonArray>().Last()[0]!.DeepClone());

        var second = await SendAsync(Composed(wire, history, Own, model));

        Assert.True(second.Status == 200, second.Text);
        var thought = JsonNode.Parse(first.Text)!["choices"]![0]!["message"]!["reasoning_content"]!.GetValue<string>();
        Assert.NotEqual("", thought);
        var message = JsonNode.Parse(Composed(wire, history, Own, model))!["messages"]!.AsArray().Single(m => m!["tool_calls"] is not null);
        Assert.Equal(thought, message!["reasoning_content"]!.GetValue<string>());
        // To everybody else the thought was never there.
        foreach (var other in (ProviderConnection[])[
            Own with { Id = "other" }, Own with { Wire = ProviderWire.OpenAi }, Own with { Wire = ProviderWire.Anthropic },
            Own with { Wire = ProviderWire.Gemini }, Own with { Wire = ProviderWire.Responses }])
            if (Wires.Of(other.Wire, wire) != wire)
            {
                var said = Encoding.UTF8.GetString(Composed(wire, history, other, "m"));
                Assert.DoesNotContain(ThoughtMark.Unnamed, said, StringComparison.Ordinal);
                Assert.DoesNotContain("reasoning", said, StringComparison.Ordinal);
                Assert.DoesNotContain(Escaped(thought), said, StringComparison.Ordinal);
            }
    }

    [Fact]
    public void A_mark_survives_clients_that_decode_signatures()
    {
        var mark = ThoughtMark.Of("deep");
        Assert.Equal(mark, Convert.ToBase64String(Convert.FromBase64String(mark)));
        Assert.All(mark, letter => Assert.True(char.IsAsciiLetterOrDigit(letter)));
        Assert.NotEqual(mark, ThoughtMark.Of("other"));
    }

    static string Escaped(string text) => System.Text.Json.JsonSerializer.Serialize(text)[1..^1];

    static byte[] Composed(ConversationWire wire, JsonNode history, ProviderConnection provider, string model)
    {
        var body = Encoding.UTF8.GetBytes(history.ToJsonString());
        var said = ThoughtMark.For(provider, wire.Understand(body, wire.Read(body, new("m", false, Sse: false))));
        return ((ConversationWire)Wires.Of(provider.Wire, wire)!).Compose(said, model, 500, stream: false);
    }

    static JsonNode Told(ConversationWire wire, byte[] answer, string from)
    {
        var events = new List<AnswerEvent>();
        Assert.True(Wires.Chat.NewReader().ReadWhole(answer, events));
        ThoughtMark.Name(events, from);
        var head = new AnswerHead("req_1", "m", DateTimeOffset.UnixEpoch, ChatRequestTests.Accepted(
            """{"model":"m","messages":[{"role":"user","content":"hi"}]}"""));
        return JsonNode.Parse(TranslationCases.WriteWhole(wire, head, events))!;
    }

    /// <summary>The id of the only call.</summary>
    static string IdOf(JsonNode answer)
    {
        var call = answer.ToJsonString();
        foreach (var name in (string[])["\"call_id\":\"", "\"id\":\"call_"])
            if (call.LastIndexOf(name, StringComparison.Ordinal) is >= 0 and var at)
            {
                at = call.IndexOf(":\"", at, StringComparison.Ordinal) + 2;
                return call[at..call.IndexOf('"', at)];
            }
        throw new InvalidOperationException(call);
    }

    Task<Provider.Arrived> SendAsync(byte[] body) => provider.PostAsync("/v1/chat/completions", Encoding.UTF8.GetString(body));
}
