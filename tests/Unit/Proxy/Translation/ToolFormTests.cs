using System.Text;
using System.Text.Json;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// Tools of any kind that the caller runs are functions to a provider of another wire, and their calls come back in their own form.
/// </summary>
public sealed class ToolFormTests
{
    /// <summary>As Codex offers and answers them: free text, groups, a shell of the user's machine, a search for tools.</summary>
    const string Codex = """
        {"model":"m","store":false,"include":["reasoning.encrypted_content"],"client_metadata":{"a":"b"},"prompt_cache_key":"k",
        "tools":[{"type":"function","name":"exec_command","parameters":{"type":"object","properties":{}}},
        {"type":"custom","name":"apply_patch","description":"Edits files.",
        "format":{"type":"grammar","syntax":"lark","definition":"start: /.+/"}},
        {"type":"namespace","name":"multi_agent_v1","description":"d","tools":[{"type":"function","name":"spawn","parameters":{}}]},
        {"type":"local_shell"},{"type":"shell","environment":{"type":"local"}},
        {"type":"tool_search","execution":"client","description":"d"},
        {"type":"web_search"}],
        "input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},
        {"type":"custom_tool_call","call_id":"c1","name":"apply_patch","input":"*** Begin \"Patch\""},
        {"type":"custom_tool_call_output","call_id":"c1","output":"ok"},
        {"type":"function_call","call_id":"c2","namespace":"multi_agent_v1","name":"spawn","arguments":"{}"},
        {"type":"function_call_output","call_id":"c2","output":"started"},
        {"type":"local_shell_call","call_id":"c3","status":"completed","action":{"type":"exec","command":["ls"]}},
        {"type":"local_shell_call_output","call_id":"c3","output":"a.txt"},
        {"type":"tool_search_call","call_id":"c4","execution":"client","arguments":{"query":"mail"}},
        {"type":"tool_search_output","call_id":"c4","tools":[{"type":"function","name":"send_mail","parameters":{"type":"object"}}]},
        {"type":"additional_tools","tools":[{"type":"function","name":"later","parameters":{"type":"object"}}]},
        {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"x"}}]}
        """;

    [Fact]
    public void Everything_that_Codex_offers_reaches_models_of_other_wires()
    {
        foreach (var wire in (ReadOnlySpan<ConversationWire>)[Wires.Chat, Wires.Messages, Wires.Gemini])
        {
            var said = Understood();
            var body = Encoding.UTF8.GetString(wire.Compose(said, "m", 4000, stream: true));
            foreach (var name in (ReadOnlySpan<string>)
                ["exec_command", "apply_patch", "multi_agent_v1__spawn", "local_shell", "shell", "tool_search", "send_mail", "later"])
                Assert.Contains($"\"name\":\"{name}\"", body, StringComparison.Ordinal);
            Assert.Contains("start: /.+/", body, StringComparison.Ordinal);
            Assert.Contains("*** Begin", body, StringComparison.Ordinal);
            Assert.Contains("a.txt", body, StringComparison.Ordinal);
            Assert.Subset(
                new HashSet<string> { "web_search", "web_search_call", "client_metadata", "prompt_cache_key", "execution" },
                new HashSet<string>(said.LeftOut.Names));
            Assert.Contains("web_search", said.LeftOut.Names);
        }
    }

    [Theory]
    [InlineData("apply_patch", """{"input":"*** Begin \"x\"\n"}""",
        """{"type":"custom_tool_call","call_id":"c","name":"apply_patch","input":"*** Begin \"x\"\n"}""")]
    [InlineData("multi_agent_v1__spawn", """{"a":1}""",
        """{"type":"function_call","call_id":"c","name":"spawn","arguments":"{\"a\":1}","namespace":"multi_agent_v1"}""")]
    [InlineData("local_shell", """{"type":"exec","command":["ls"]}""",
        """{"type":"local_shell_call","call_id":"c","action":{"type":"exec","command":["ls"]}}""")]
    [InlineData("tool_search", """{"query":"mail"}""",
        """{"type":"tool_search_call","call_id":"c","execution":"client","arguments":{"query":"mail"}}""")]
    [InlineData("exec_command", "{}", """{"type":"function_call","call_id":"c","name":"exec_command","arguments":"{}"}""")]
    public void A_call_comes_back_in_the_form_of_its_tool(string called, string arguments, string expected)
    {
        var body = Encoding.UTF8.GetBytes(Codex);
        var head = new AnswerHead("req_1", "m", default, Wires.Responses.Read(body, default));
        // Arguments come in pieces.
        List<AnswerEvent> events =
        [
            AnswerEvent.Call(0, "c", called), AnswerEvent.Arguments(0, arguments[..1]), AnswerEvent.Arguments(0, arguments[1..]),
            AnswerEvent.Finished(StopReason.ToolCalls),
        ];
        ToolNames.Of(Understood(), NameRules.Chat)!.Restore(events);
        var whole = JsonDocument.Parse(TranslationCases.WriteWhole(Wires.Responses, head, events)).RootElement.GetProperty("output")[0];
        var stream = Encoding.UTF8.GetString(TranslationCases.WriteStream(Wires.Responses, head, events));
        var last = JsonDocument.Parse(stream[(stream.LastIndexOf("data: ", StringComparison.Ordinal) + 6)..])
            .RootElement.GetProperty("response").GetProperty("output")[0];
        foreach (var member in JsonDocument.Parse(expected).RootElement.EnumerateObject())
        {
            Assert.True(JsonElement.DeepEquals(member.Value, whole.GetProperty(member.Name)), whole.GetRawText());
            Assert.True(JsonElement.DeepEquals(member.Value, last.GetProperty(member.Name)), last.GetRawText());
        }
    }

    [Fact]
    public void Free_text_on_the_chat_wire_comes_back_as_free_text()
    {
        var body = """
            {"model":"m","messages":[{"role":"user","content":"a"},
            {"role":"assistant","tool_calls":[{"id":"c0","type":"custom","custom":{"name":"patch","input":"x"}}]},
            {"role":"tool","tool_call_id":"c0","content":"ok"}],"tools":[{"type":"custom","custom":{"name":"patch"}}]}
            """u8.ToArray();
        var request = Wires.Chat.Read(body, default);
        var said = Wires.Chat.Understand(body, request);
        var composed = Encoding.UTF8.GetString(Wires.Messages.Compose(said, "m", 9, false));
        Assert.Contains("\"input\":{\"input\":\"x\"}", composed, StringComparison.Ordinal);

        List<AnswerEvent> events =
        [
            AnswerEvent.Call(0, "c", "patch"), AnswerEvent.Arguments(0, """{"input":"y\n"}"""),
            AnswerEvent.Finished(StopReason.ToolCalls),
        ];
        ToolNames.Of(said, NameRules.Anthropic)!.Restore(events);
        var head = new AnswerHead("req_1", "m", default, request);
        Assert.Contains(
            """{"id":"c","type":"custom","custom":{"name":"patch","input":"y\n"}}""",
            Encoding.UTF8.GetString(TranslationCases.WriteWhole(Wires.Chat, head, events)), StringComparison.Ordinal);
        Assert.Contains(
            "\"tool_calls\":[{\"index\":0,\"custom\":{\"input\":\"y\\n\"}}]",
            Encoding.UTF8.GetString(TranslationCases.WriteStream(Wires.Chat, head, events)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_choice_among_some_tools_offers_only_those()
    {
        var body = """
            {"model":"m","input":"a","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"},{"type":"function","name":"h"}],
            "tool_choice":{"type":"allowed_tools","mode":"required",
            "tools":[{"type":"function","name":"f"},{"type":"function","name":"h"}]}}
            """u8.ToArray();
        var said = Wires.Responses.Understand(body, Wires.Responses.Read(body, default));
        Assert.Equal(["f", "h"], said.Tools.Select(tool => tool.Name));
        Assert.Equal(ToolMode.Required, said.ToolChoice!.Mode);
    }

    static Conversation Understood()
    {
        var body = Encoding.UTF8.GetBytes(Codex);
        return Wires.Responses.Understand(body, Wires.Responses.Read(body, default));
    }
}
