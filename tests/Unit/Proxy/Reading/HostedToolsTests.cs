using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// What can cost without bound reaches no provider: a request that is about it is refused, and where an agent merely offers it beside its
/// own tools it is left out and named. What has a bound is held at its bound.
/// </summary>
public sealed class HostedToolsTests
{
    [Theory]
    [InlineData("responses", """{"model":"m","input":"a","tools":[{"type":"web_search"},{"type":"function","name":"f"},{"type":"mcp"}]}""",
        """[{"type":"function","name":"f"}]""", "web_search,mcp")]
    [InlineData("chat",
        """{"model":"m","messages":[{"content":"a"}],"tools":[{"type":"function","function":{"name":"f"}}, {"type":"web_search"}]}""",
        """[{"type":"function","function":{"name":"f"}}]""", "web_search")]
    [InlineData("messages",
        """{"model":"m","max_tokens":5,"messages":[{"content":"a"}],"tools":["""
            + """{"name":"web_search","type":"web_search_20250305"},{"name":"f","input_schema":{}}]}""",
        """[{"name":"f","input_schema":{}}]""", "web_search")]
    [InlineData("gemini",
        """{"contents":[{"parts":[]}],"tools":[{"googleSearch":{},"function_declarations":[{"name":"f"}]},{"urlContext":{}}]}""",
        """[{"function_declarations":[{"name":"f"}]}]""", "googleSearch,urlContext")]
    public void Beside_the_callers_own_tools_it_is_left_out_and_named(string wire, string body, string kept, string names)
    {
        var request = Read(wire, body);
        Assert.Equal(names.Split(','), request.LeftOut());
        var sent = Encoding.UTF8.GetString(request.Rewrite(Encoding.UTF8.GetBytes(body), "m", 5, injectUsage: false).Span);
        Assert.Contains($"\"tools\":{kept}", sent, StringComparison.Ordinal);
        Assert.Empty(Read(wire, sent).LeftOut());
    }

    /// <summary>A body may name half a million tools. Each is looked up, not searched for.</summary>
    [Fact(Timeout = 60_000)]
    public Task Very_many_are_left_out_as_fast_as_they_are_read() => Task.Run(() =>
    {
        const int many = 200_000;
        var hosted = string.Concat(Enumerable.Range(0, many).Select(i => $$"""{"type":"web_{{i}}"},"""));
        var body = $$"""{"model":"m","input":"a","tools":[{{hosted}}{"type":"function","name":"f"}]}""";
        var request = Read("responses", body);
        Assert.Equal(many, request.LeftOut().Count);
        var sent = Encoding.UTF8.GetString(request.Rewrite(Encoding.UTF8.GetBytes(body), "m", 5, injectUsage: false).Span);
        Assert.Contains("""
            "tools":[{"type":"function","name":"f"}]
            """, sent, StringComparison.Ordinal);
    }, TestContext.Current.CancellationToken);

    [Theory]
    [InlineData("""{"citations":{},"type":"document","source":{"type":"text","data":"a"}}""")]
    [InlineData("""{"type":"document","source":{"type":"text","data":"a"},"citations":{}}""")]
    public void The_order_of_members_changes_no_bound(string block) => Assert.Equal(
        "messages[0].content[0].type",
        Read("messages", $$"""{"model":"m","max_tokens":5,"messages":[{"content":[{{block}}]}]}""").BeyondText);

    [Theory]
    [InlineData("{\"type\":\"custom\",\"name\":\"apply_patch\"}", 0)]
    [InlineData("{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}]}", 0)]
    [InlineData("{\"type\":\"local_shell\"}", 1)]
    [InlineData("{\"type\":\"shell\"}", 1)]
    [InlineData("{\"type\":\"apply_patch\"}", 1)]
    [InlineData("{\"type\":\"tool_search\",\"execution\":\"client\"}", 1)]
    [InlineData("{\"type\":\"computer_use_preview\",\"display_width\":1}", 1)]
    public void Tools_that_the_caller_runs_pass_unchanged(string tool, int builtIn)
    {
        var body = $$"""{"model":"m","input":"a","max_output_tokens":5,"store":false,"tools":[{{tool}}]}""";
        var request = Read("responses", body);
        Assert.Equal((builtIn, 0, null), (request.BuiltInTools, request.LeftOut().Count, request.BeyondText));
        Assert.Equal(body, Encoding.UTF8.GetString(request.Rewrite(Encoding.UTF8.GetBytes(body), "m", 5, injectUsage: false).Span));
    }

    [Theory]
    [InlineData("bash_20250124", "bash")]
    [InlineData("text_editor_20250728", "str_replace_based_edit_tool")]
    [InlineData("memory_20250818", "memory")]
    [InlineData("computer_20251124", "computer")]
    public void Anthropics_tools_that_the_caller_runs_pass_and_are_functions_elsewhere(string type, string name)
    {
        var tools = $$"""[{"type":"{{type}}","name":"{{name}}"}]""";
        var body = $$"""{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}],"tools":{{tools}}}""";
        var request = Read("messages", body);
        Assert.Equal((1, 0), (request.BuiltInTools, request.LeftOut().Count));
        var said = Wires.Messages.Understand(Encoding.UTF8.GetBytes(body), request);
        var tool = Assert.Single(said.Tools);
        Assert.Equal((name, true), (tool.Name, tool.Schema!.Contains("\"properties\"", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("responses", """{"model":"m","input":[{"type":"something_new","x":1}]}""", "input[0].type")]
    [InlineData("responses", """{"model":"m","input":[{"role":"user","content":[{"type":"input_file","file_data":"data:x;base64,AA"}]}]}""",
        "input[0].content[0].type")]
    [InlineData("chat", """{"model":"m","messages":[{"content":[{"type":"file","file":{"file_data":"data:x;base64,AA"}}]}]}""",
        "messages[0].content[0].type")]
    [InlineData("messages",
        """{"model":"m","max_tokens":5,"messages":[{"content":[{"type":"document","source":{"type":"base64","data":"AA"}}]}]}""",
        "messages[0].content[0].type")]
    [InlineData("messages", """{"model":"m","max_tokens":5,"messages":[{"content":[{"type":"web_search_tool_result","content":[]}]}]}""",
        "messages[0].content[0].type")]
    [InlineData("gemini", """{"contents":[{"parts":[{"inlineData":{"mimeType":"application/pdf","data":"AA"}}]}]}""",
        "contents[0].parts[0].inlineData")]
    [InlineData("gemini", """{"contents":[{"parts":[{"somethingNew":{}}]}]}""", "contents[0].parts[0].somethingNew")]
    public void What_is_larger_than_its_text_is_held_at_the_models_context(string wire, string body, string path)
    {
        var request = Read(wire, body);
        Assert.Equal(path, request.BeyondText);
        var prices = new Prices { Input = new(1_000_000), Output = new(0) };
        Assert.Null(UpperBound.Check(Offer(contextTokens: 200_000), request, passes: true, out var bound));
        Assert.Equal(200, bound.Cost(5));
        var refused = UpperBound.Check(Offer(contextTokens: 0), request, passes: true, out _)!;
        Assert.Equal(("unpriceable_parameter", path), (refused.Code, refused.Param));

        ModelOffer Offer(long contextTokens) => new("m", "chat", "p", "m", contextTokens, 0, null, prices);
    }

    [Theory]
    [InlineData("""{"type":"custom_tool_call","call_id":"c","name":"f","input":"x"}""")]
    [InlineData("""{"type":"custom_tool_call_output","call_id":"c","output":"x"}""")]
    [InlineData("""{"type":"local_shell_call","call_id":"c","action":{"command":["ls"]}}""")]
    [InlineData("""{"type":"shell_call_output","call_id":"c","output":[{"stdout":"x","outcome":{"type":"exit","exit_code":0}}]}""")]
    [InlineData("""{"type":"apply_patch_call","call_id":"c","operation":{"type":"delete_file","path":"a"}}""")]
    [InlineData("""{"type":"web_search_call","id":"ws","action":{"type":"search","query":"x"}}""")]
    [InlineData("""{"type":"tool_search_output","call_id":"c","tools":[{"type":"function","name":"f"}]}""")]
    public void Items_of_a_history_that_are_their_text_cost_their_text(string item)
    {
        var request = Read("responses", $$"""{"model":"m","input":[{"role":"user","content":"a"},{{item}}]}""");
        Assert.Null(request.BeyondText);
        Assert.Equal(2, request.Messages);
    }

    /// <summary>A caller who asks for a version that is never sent on learns which one is.</summary>
    [Theory]
    [InlineData("web_search_20260209", "'web_search_20250305'"), InlineData("web_search_2025_08_26", "'web_search'")]
    public void The_refusal_of_a_search_names_the_version_that_is_taken(string type, string taken)
    {
        var (wire, body) = taken == "'web_search'"
            ? (Wires.Responses, $$"""{"model":"m","input":"a","tools":[{"type":"{{type}}"}]}""")
            : (Wires.Messages, $$"""
                {"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}],"tools":[{"type":"{{type}}","name":"web_search"}]}
                """);
        Assert.False(wire.TryRead(Encoding.UTF8.GetBytes(body), default, out _, out var problem));
        Assert.Equal("tools[0].type", problem!.Param);
        Assert.Contains(taken, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tool_that_an_item_brings_in_is_the_callers_own()
    {
        var body = """{"model":"m","input":[{"type":"additional_tools","tools":[{"type":"web_search"}]}]}"""u8.ToArray();
        Assert.False(Wires.Responses.TryRead(body, default, out _, out var problem));
        Assert.Equal(("unpriceable_parameter", "input[0].tools[0].type"), (problem.Code, problem.Param));
    }

    static ModelRequest Read(string wire, string body)
    {
        var spoken = wire switch
        {
            "chat" => Wires.Chat,
            "messages" => Wires.Messages,
            "gemini" => Wires.Gemini,
            _ => Wires.Responses,
        };
        var bytes = Encoding.UTF8.GetBytes(body);
        Assert.True(spoken.TryRead(bytes, new("m", false, false), out var request, out var problem), problem?.Message);
        return request;
    }
}
