using System.Text;
using System.Text.Json;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.Translation;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>The rules that providers publish are kept whatever wire a request came from.</summary>
public sealed class FittingTests
{
    static readonly Turn Hello = new(Speaker.User, [new TextPart("hi")], "messages[0]");

    static Conversation Said => new() { Turns = [Hello] };

    [Fact]
    public void Ids_of_calls_have_the_form_of_the_provider_and_each_result_that_of_its_call()
    {
        var odd = "functions.get weather:0/" + new string('x', 90);
        var said = Said with { Turns = [Hello, Calls(odd, "b"), Results(odd, "b"), Hello] };
        foreach (var (wire, model, pattern) in (ReadOnlySpan<(ConversationWire, string, string)>)
        [
            (Wires.Messages, "claude", "^[a-zA-Z0-9_-]{1,64}$"),
            (Wires.Chat, "gpt-4o", "^.{1,40}$"),
            (Wires.Chat, "open-mistral-7b", "^[a-zA-Z0-9]{9}$"),
            (Wires.Responses, "gpt-5", "^.{1,64}$"),
        ])
        {
            var (calls, results) = Ids(wire, said, model);
            Assert.All(calls, id => Assert.Matches(pattern, id));
            Assert.Equal(calls, results);
            Assert.Equal(2, calls.Distinct().Count());
            // A later request of the same conversation has the same ids.
            Assert.Equal(calls, Ids(wire, said with { Turns = [.. said.Turns, Hello] }, model).Calls);
        }
    }

    [Fact]
    public void An_id_that_a_provider_gave_twice_is_two_ids()
    {
        var said = Said with { Turns = [Hello, Calls("call_0"), Results("call_0"), Hello, Calls("call_0"), Results("call_0")] };
        foreach (var wire in (ReadOnlySpan<ConversationWire>)[Wires.Messages, Wires.Chat, Wires.Responses])
        {
            var (calls, results) = Ids(wire, said, "m");
            Assert.Equal(2, calls.Distinct().Count());
            Assert.Equal(calls, results);
        }
    }

    [Fact]
    public void A_tools_name_has_the_form_of_the_provider_and_comes_back_as_the_callers()
    {
        var name = "mcp__" + new string('s', 40) + "__" + new string('t', 40) + ".find";
        foreach (var wire in (ReadOnlySpan<ConversationWire>)[Wires.Messages, Wires.Chat, Wires.Responses, Wires.Gemini])
        {
            var said = Said with { Tools = [new(name, null, null, false, "tools[0]")], ToolChoice = new(ToolMode.One, name, "") };
            var told = wire.NamesOf("m").ToolName(name);
            Assert.Matches("^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$", told);
            Assert.Equal(2, Compose(wire, said).Split($"\"{told}\"").Length - 1);

            List<AnswerEvent> answer = [AnswerEvent.Call(0, "c", told), AnswerEvent.Call(1, "d", "other")];
            ToolNames.Of(said, wire.NamesOf("m"))!.Restore(answer);
            Assert.Equal([name, "other"], answer.Select(e => e.Text!));
        }
        Assert.Null(ToolNames.Of(Said with { Tools = [new("f", null, null, false, "")] }, NameRules.Chat));
    }

    [Fact]
    public void A_tool_that_is_there_twice_is_offered_once_and_named()
    {
        Tool tool = new("f", null, null, false, "tools[0]");
        var said = Said with { Tools = [tool, tool with { Field = "tools[1]" }] };
        Assert.Single(JsonDocument.Parse(Compose(Wires.Messages, said)).RootElement.GetProperty("tools").EnumerateArray());
        Assert.Equal(["tools[1]"], said.LeftOut.Names);
    }

    [Theory]
    [InlineData(null, """{"type":"object","properties":{}}""")]
    [InlineData("{}", """{"type":"object","properties":{}}""")]
    [InlineData("""{"properties":{"a":{}}}""", """{"properties":{"a":{}},"type":"object"}""")]
    [InlineData("""{"type":"object","properties":{"a":{}},"anyOf":[{"required":["a"]},{"required":["b"]}]}""",
        """{"type":"object","properties":{"a":{}}}""")]
    [InlineData("""{"oneOf":[{"properties":{"a":{"type":"string"}},"required":["a","c"]},{"properties":{"b":{}},"required":["c"]}]}""",
        """{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":["c"]}""")]
    public void A_tools_schema_is_an_object_without_alternatives_at_its_top(string? schema, string expected)
    {
        foreach (var wire in (ReadOnlySpan<ConversationWire>)[Wires.Messages, Wires.Chat, Wires.Responses])
            Assert.Contains(expected, Compose(wire, Said with { Tools = [new("f", null, schema, false, "")] }), StringComparison.Ordinal);
    }

    [Fact]
    public void Gemini_gets_the_keywords_of_schemas_that_it_knows()
    {
        const string Schema =
            """{"$schema":"x","type":"object","properties":{"const":{"const":"a"},"not":{"not":{}}},"if":{},"required":["const"]}""";
        Assert.Contains(
            """{"type":"object","properties":{"const":{"enum":["a"]},"not":{}},"required":["const"]}""",
            Compose(Wires.Gemini, Said with { Tools = [new("f", null, Schema, false, "")] }), StringComparison.Ordinal);
    }

    [Fact]
    public void Anthropic_gets_closed_objects_as_the_form_of_an_answer() => Assert.Contains(
        """{"type":"object","properties":{"n":{"type":"integer"},"o":{"type":"object","additionalProperties":false}},"additional"""
            + "Properties\":false}",
        Compose(Wires.Messages, Said with
        {
            Format = new("n", """{"type":"object","properties":{"n":{"type":"integer","minimum":1},"o":{"type":"object"}}}""", true, ""),
        }),
        StringComparison.Ordinal);

    [Theory]
    [InlineData("claude-sonnet-4-5", "thinking", "temperature")]
    [InlineData("claude-opus-4-6", "thinking", "temperature")]
    [InlineData("claude-opus-4-7", "thinking", "temperature")]
    public void Thoughts_win_over_the_choice_of_words_and_a_forced_tool_over_thoughts(string model, string has, string hasNot)
    {
        var effort = Said with { Effort = new("high", null, true, "reasoning_effort"), Temperature = new(0.2m, "temperature") };
        var body = Compose(Wires.Messages, effort, model);
        Assert.Contains($"\"{has}\":", body, StringComparison.Ordinal);
        Assert.DoesNotContain($"\"{hasNot}\":", body, StringComparison.Ordinal);
        Assert.Equal(["temperature"], effort.LeftOut.Names);

        var forced = Said with
        {
            Effort = new("high", null, true, "reasoning_effort"),
            Tools = [new("f", null, null, false, "")],
            ToolChoice = new(ToolMode.Required, null, "tool_choice"),
        };
        body = Compose(Wires.Messages, forced, model);
        Assert.DoesNotContain("\"thinking\":", body, StringComparison.Ordinal);
        Assert.Contains("\"type\":\"any\"", body, StringComparison.Ordinal);
        Assert.Equal(["reasoning_effort"], forced.LeftOut.Names);
    }

    [Theory]
    [InlineData("claude-3-5-haiku-20241022", true)]
    [InlineData("claude-sonnet-4-5", false)]
    public void Newer_models_of_Anthropic_take_one_choice_of_words(string model, bool takesBoth)
    {
        var said = Said with { Temperature = new(0.2m, "temperature"), TopP = new(0.9m, "top_p") };
        Assert.Equal(takesBoth, Compose(Wires.Messages, said, model).Contains("top_p", StringComparison.Ordinal));
        Assert.Equal(takesBoth ? [] : ["top_p"], said.LeftOut.Names);
    }

    [Theory]
    [InlineData("gpt-5-nano", null, false)]
    [InlineData("o3", null, false)]
    [InlineData("gpt-5.2", "none", true)]
    [InlineData("gpt-5.2", "low", false)]
    [InlineData("gpt-4o", null, true)]
    [InlineData("gpt-oss-120b", "low", true)]
    public void Models_of_OpenAI_that_think_take_no_choice_of_words(string model, string? level, bool takes)
    {
        foreach (var wire in (ReadOnlySpan<ConversationWire>)[Wires.Chat, Wires.Responses])
        {
            var said = new Conversation
            {
                Turns = [Hello], Temperature = new(0.2m, "temperature"), Effort = level is null ? null : new(level, null, false, ""),
            };
            Assert.Equal(takes, Compose(wire, said, model).Contains("temperature", StringComparison.Ordinal));
            Assert.Equal(takes ? [] : ["temperature"], said.LeftOut.Names);
        }
    }

    [Fact]
    public void Instructions_alone_are_said_by_the_user()
    {
        foreach (var wire in (ReadOnlySpan<ConversationWire>)[Wires.Chat, Wires.Responses, Wires.Messages, Wires.Gemini])
        {
            var body = Compose(wire, new() { System = [new("be kind")], Turns = [] });
            Assert.Equal(1, body.Split("be kind").Length - 1);
            Assert.Contains("\"role\":\"user\"", body, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_user_speaks_first_and_an_answer_that_is_begun_ends_in_no_white_space()
    {
        var body = Compose(Wires.Messages, new() { Turns = [new(Speaker.Assistant, [new TextPart("So: \n")], "")] });
        Assert.Matches("\"role\":\"user\".*\"role\":\"assistant\",\"content\":\\[\\{\"type\":\"text\",\"text\":\"So:\"\\}", body);
        Assert.Matches(
            "\"role\":\"user\".*\"role\":\"model\"",
            Compose(Wires.Gemini, new() { Turns = [new(Speaker.Assistant, [new TextPart("So")], "")] }));
    }

    [Fact]
    public void Older_models_of_Google_are_asked_for_JSON_in_words_beside_functions()
    {
        var said = Said with { Tools = [new("f", null, null, false, "")], Format = new(null, """{"type":"object"}""", true, "") };
        Assert.DoesNotContain("responseMimeType", Compose(Wires.Gemini, said, "gemini-2.5-flash"), StringComparison.Ordinal);
        Assert.Contains("JSON object", Compose(Wires.Gemini, said, "gemini-2.5-flash"), StringComparison.Ordinal);
        Assert.Contains("responseMimeType", Compose(Wires.Gemini, said, "gemini-3-flash"), StringComparison.Ordinal);
    }

    [Fact]
    public void Marks_for_the_cache_reach_Anthropic_from_the_chat_wire()
    {
        var body = """
            {"model":"m","messages":[
            {"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
            {"role":"user","content":"a","cache_control":{"type":"ephemeral"}},
            {"role":"user","content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}],
            "tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]}
            """u8.ToArray();
        var said = Wires.Chat.Understand(body, Wires.Chat.Read(body, default));
        var composed = Compose(Wires.Messages, said);
        Assert.Equal(4, composed.Split("\"cache_control\":{\"type\":\"ephemeral\"").Length - 1);
        Assert.Contains("\"ttl\":\"1h\"", composed, StringComparison.Ordinal);
        Assert.Empty(said.LeftOut.Names);

        // More than four are refused there, so the first ones go.
        var many = said with { Turns = [Hello with { Parts = [.. Enumerable.Repeat(new TextPart("x") { Cache = "{}" }, 6)] }] };
        Assert.Equal(4, Compose(Wires.Messages, many).Split("\"cache_control\":").Length - 1);
        Assert.Equal(["cache_control"], many.LeftOut.Names);
    }

    [Fact]
    public void The_signature_of_a_call_goes_both_ways_on_the_chat_wire()
    {
        var head = new AnswerHead("r", "m", default, Wires.Chat.Read("""{"model":"m","messages":[{"content":"a"}]}"""u8, default));
        List<AnswerEvent> events = [AnswerEvent.Call(0, "c", "f", "SEAL=="), AnswerEvent.Finished(StopReason.ToolCalls)];
        const string Member = "\"extra_content\":{\"google\":{\"thought_signature\":\"SEAL==\"}}";
        Assert.Contains(Member, Encoding.UTF8.GetString(TranslationCases.WriteStream(Wires.Chat, head, events)), StringComparison.Ordinal);
        Assert.Contains(Member, Encoding.UTF8.GetString(TranslationCases.WriteWhole(Wires.Chat, head, events)), StringComparison.Ordinal);

        var body = Encoding.UTF8.GetBytes(
            """{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","""
                + Member
                + ",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
                + """{"role":"tool","tool_call_id":"c","content":"r"}]}""");
        Assert.Contains(
            "\"thoughtSignature\":\"SEAL==\"",
            Compose(Wires.Gemini, Wires.Chat.Understand(body, Wires.Chat.Read(body, default)), "gemini-3-pro"), StringComparison.Ordinal);
    }

    static Turn Calls(params string[] ids) =>
        new(Speaker.Assistant, [.. ids.Select(id => new ToolCallPart(id, "f", "{}"))], "messages[1]");

    static Turn Results(params string[] ids) =>
        new(Speaker.User, [.. ids.Select(id => new ToolResultPart(id, "f", [new TextPart("r")], false, "messages[2]"))], "messages[2]");

    static (List<string> Calls, List<string> Results) Ids(ConversationWire wire, Conversation said, string model)
    {
        var body = Encoding.UTF8.GetBytes(Compose(wire, said, model));
        var parts = wire.Understand(body, wire.Read(body, default)).Turns.SelectMany(turn => turn.Parts).ToList();
        return (
            [.. parts.OfType<ToolCallPart>().Select(call => call.Id)],
            [.. parts.OfType<ToolResultPart>().Select(result => result.CallId)]);
    }

    static string Compose(ConversationWire wire, Conversation said, string model = "m") =>
        Encoding.UTF8.GetString(wire.Compose(said, model, 4000, stream: false));
}
