using System.Text;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class AnthropicTranslationTests
{
    // One that takes a budget for thinking, one that takes an effort.
    const string TakesBudget = "claude-sonnet-4-5-20250929", TakesEffort = "claude-opus-4-6";

    [Fact]
    public void What_is_composed_is_understood_as_the_same_conversation() => Seeds.ForEach(500, random =>
    {
        var model = random.Next(2) == 0 ? TakesBudget : TakesEffort;
        var said = RandomConversation(random, model);
        Assert.Equal(Show(said), Show(Understand(Compose(said, model))));
    });

    [Fact]
    public void A_request_becomes_a_conversation()
    {
        var said = Understand("""
            {"model":"m","max_tokens":9,"metadata":{"user_id":"u"},"system":"be kind","cache_control":{"type":"ephemeral"},
                "service_tier":"auto","top_k":null,
             "messages":[{"role":"system","content":"and brief"},
                {"role":"user","content":[{"type":"text","text":"see","cache_control":{"type":"ephemeral"}},
               {"type":"document","source":{"type":"text","media_type":"text/plain","data":"a book"},"title":null}]},
              {"role":"assistant","content":[{"type":"redacted_thinking","data":"x"},{"type":"tool_use","id":"c1","name":"f",
                "input":{"a":1}}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"fine"},{"type":"tool_result","tool_use_id":"c0",
                "is_error":true}]}],
             "tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
                "tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}],
             "thinking":{"type":"adaptive","display":"omitted"},
                "output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}}
            """.Unwrapped());
        Assert.Equal([new TextPart("be kind"), new TextPart("and brief")], said.System);
        Assert.Equal([new TextPart("see"), new TextPart("a book")], said.Turns[0].Parts);
        Assert.Equal([new ToolCallPart("c1", "f", """{"a":1}""")], said.Turns[1].Parts);
        Assert.Equal(
            [("c1", "f", false), ("c0", null, true)],
            said.Turns[2].Parts.Cast<ToolResultPart>().Select(result => (result.CallId, result.Name, result.IsError)));
        Assert.Equal(new ToolChoice(ToolMode.One, "f", "tool_choice"), said.ToolChoice);
        Assert.Equal(new Given<bool>(false, "tool_choice.disable_parallel_tool_use"), said.ParallelTools);
        Assert.Equal(new Effort("low", null, false, "thinking"), said.Effort);
        Assert.Equal(new OutputFormat(null, """{"type":"object"}""", true, "output_config.format"), said.Format);
    }

    [Theory]
    [InlineData("""{"role":"user","content":"hi"},{"role":"assistant","content":"The answer is"}""", "messages[1].role")]
    [InlineData("""{"role":"user","content":[{"type":"document","source":{"type":"base64","data":"x"}}]}""",
        "messages[0].content[0].source")]
    [InlineData("""{"role":"user","content":[{"type":"hologram"}]}""", "messages[0].content[0].type")]
    public void A_message_that_no_other_wire_has_is_refused_by_name(string messages, string param) =>
        AssertUntranslatable(With("\"top_k\":null", messages), param);

    [Theory]
    [InlineData("\"temperature\":\"1\"", "temperature")]
    [InlineData("\"top_k\":1.5", "top_k")]
    [InlineData("\"stop_sequences\":\"x\"", "stop_sequences")]
    [InlineData("\"stop_sequences\":[1]", "stop_sequences[0]")]
    [InlineData("\"tool_choice\":{\"type\":\"maybe\"}", "tool_choice.type")]
    [InlineData("\"tool_choice\":7", "tool_choice")]
    [InlineData("\"thinking\":{\"type\":\"enabled\"}", "thinking.budget_tokens")]
    public void A_member_of_the_wrong_form_is_refused_by_name(string member, string param) =>
        Assert.Equal(("invalid_value", param), Refusal(() => Understand(With(member, """{"role":"user","content":"hi"}"""))));

    [Fact]
    public void Turns_alternate_with_results_first_and_nothing_empty()
    {
        var body = Compose(new()
        {
            System = [new("one"), new(" "), new("two")],
            Turns =
            [
                new(Speaker.User, [new TextPart("a")], "messages[0]"),
                new(Speaker.User, [new TextPart("b"), new TextPart("")], "messages[1]"),
                new(
                    Speaker.Assistant,
                    [new TextPart(""), new ReasoningPart("no seal", null), new ToolCallPart("c", "f", "")],
                    "messages[2]"),
                new(Speaker.User, [new TextPart("look:")], "messages[3]"),
                new(Speaker.User, [new ToolResultPart("c", "f", [], false, "messages[4]")], "messages[4]"),
            ],
        });
        Assert.Equal(
            """
            {"model":"claude-sonnet-4-5-20250929","max_tokens":4000,"system":[{"type":"text","text":"one"},{"type":"text","text":"two"}],
            "messages":[
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
            {"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"c"},{"type":"text","text":"look:"}]}],
            "tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"none"}}
            """.ReplaceLineEndings(""),
            body);
    }

    [Fact]
    public void What_the_wire_cannot_say_is_refused_by_the_callers_name()
    {
        AssertUncomposable(
            Said with { Turns = [new(Speaker.Assistant, [new ToolCallPart("c", "f", "[1]")], "messages[7]")] },
            "messages[7]");
        AssertUncomposable(
            Said with { Turns = [new(Speaker.User, [new ImagePart(null, "AAAA", null, "messages[0].content[1]")], "messages[0]")] },
            "messages[0].content[1]");
        Compose(Said with
        {
            FrequencyPenalty = new(0, "frequency_penalty"),
            PresencePenalty = new(0, "presence_penalty"),
            Temperature = new(1, "temperature"),
        });
    }

    [Theory]
    [InlineData("claude-3-7-sonnet-20250219", "low", null, 4000, ""","thinking":{"type":"enabled","budget_tokens":1024}""")]
    [InlineData("claude-sonnet-4-20250514", "high", null, 4000, ""","thinking":{"type":"enabled","budget_tokens":3999}""")]
    [InlineData("claude-sonnet-4-20250514", null, -1, 40_000, ""","thinking":{"type":"enabled","budget_tokens":24576}""")]
    [InlineData("claude-opus-4-5", "high", null, 1024, null)]
    [InlineData("claude-opus-4-5", "none", null, 4000, null)]
    [InlineData("another-vendors", "medium", null, 40_000, ""","thinking":{"type":"enabled","budget_tokens":8192}""")]
    [InlineData("claude-opus-4-6", "high", null, 1024, ""","thinking":{"type":"adaptive"},"output_config":{"effort":"high"}""")]
    [InlineData("anthropic/claude-sonnet-4.6", null, 2000, 4000, ""","thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}""")]
    [InlineData("claude-sonnet-5-20260901", null, -1, 4000, ""","thinking":{"type":"adaptive"}""")]
    [InlineData("claude-sonnet-5", "none", null, 4000, ""","thinking":{"type":"disabled"}""")]
    public void Each_model_is_told_how_much_to_think_in_the_form_that_it_takes(
        string model,
        string? level,
        int? budget,
        int limit,
        string? expected)
    {
        var body = Compose(Said with { Effort = new(level, budget, true, "reasoning_effort") }, model, limit);
        if (expected is null)
            Assert.DoesNotContain("thinking", body, StringComparison.Ordinal);
        else
            Assert.EndsWith(expected + "}", body, StringComparison.Ordinal);
    }

    [Fact]
    public void Thinking_is_left_out_where_the_thoughts_before_a_tools_result_are_lost()
    {
        Turn[] turns =
        [
            new(Speaker.User, [new TextPart("a")], "messages[0]"),
            new(Speaker.Assistant, [new ToolCallPart("c", "f", "{}")], "messages[1]"),
            new(Speaker.User, [new ToolResultPart("c", "f", [new TextPart("r")], false, "messages[2]")], "messages[2]"),
        ];
        var said = new Conversation { Turns = turns, Effort = new("low", null, true, "reasoning_effort") };
        Assert.DoesNotContain("thinking", Compose(said), StringComparison.Ordinal);
        Assert.Contains(
            "budget_tokens",
            Compose(
                said with { Turns = [turns[0], new(Speaker.Assistant, [new ReasoningPart("t", "seal")], "messages[1]"), .. turns[1..]] }),
            StringComparison.Ordinal);
        Assert.Contains(
            "budget_tokens",
            Compose(said with { Turns = [.. turns, new(Speaker.Assistant, [new TextPart("b")], "messages[3]"), turns[0]] }),
            StringComparison.Ordinal);
    }

    [Fact]
    public void How_to_choose_among_no_tools_is_left_out() =>
        Assert.DoesNotContain(
            "tool_choice",
            Compose(Said with { ParallelTools = new(false, "parallel_tool_calls"), ToolChoice = new(ToolMode.None, null, "tool_choice") }),
            StringComparison.Ordinal);

    static readonly Conversation Said = new() { Turns = [new(Speaker.User, [new TextPart("hi")], "messages[0]")] };

    static Conversation RandomConversation(Random random, string model)
    {
        var tools = Enumerable.Range(0, random.Next(1, 3))
            .Select(i => new Tool(
                i == 0 ? "tool" : $"tool_{i}",
                Maybe(random, "does it"),
                """{"type":"object","properties":{"a":{"type":"number"}}}""",
                random.Next(2) == 0,
                $"tools[{i}]"))
            .ToList();
        var mode = (ToolMode)random.Next(4);
        var choice = tools.Count > 0 && random.Next(2) == 0
            ? new ToolChoice(mode, mode == ToolMode.One ? "tool" : null, "tool_choice")
            : null;
        var said = new Conversation
        {
            System = [.. Enumerable.Range(0, random.Next(3)).Select(i => new TextPart($"rule {i} \"<&"))],
            Turns = RandomTurns(random),
            Tools = tools,
            ToolChoice = choice,
            ParallelTools = choice is not null && mode != ToolMode.None && random.Next(2) == 0
                ? new(random.Next(2) == 0, "tool_choice.disable_parallel_tool_use")
                : null,
            Temperature = random.Next(2) == 0 ? new(0.70m, "temperature") : null,
            TopP = random.Next(2) == 0 ? new(0.9m, "top_p") : null,
            TopK = random.Next(2) == 0 ? new(40, "top_k") : null,
            Stop = random.Next(2) == 0 ? new(["END", "日本"], "stop_sequences") : null,
            Format = random.Next(2) == 0
                ? new(null, """{"type":"object","additionalProperties":false}""", true, "output_config.format")
                : null,
        };
        if (said.Temperature is not null)
            said = said with { TopP = null };
        return random.Next(2) == 0 ? said : said with
        {
            // Thoughts leave no choice of words, and a forced tool leaves no thoughts.
            Temperature = null,
            TopP = null,
            TopK = null,
            ToolChoice = null,
            ParallelTools = null,
            Effort = model == TakesBudget ? new(null, random.Next(1024, 4000), true, "thinking")
                : random.Next(3) switch
                {
                    0 => new(null, -1, true, "thinking"),
                    1 => new(null, 0, false, "thinking"),
                    _ => new(random.Next(2) == 0 ? "low" : "high", null, true, "thinking"),
                },
        };
    }

    static List<Turn> RandomTurns(Random random)
    {
        var turns = new List<Turn>();
        var open = new List<ToolCallPart>();
        for (var index = 0; index == 0 || random.Next(3) > 0; index++)
        {
            var (user, assistant) = ($"messages[{2 * index}]", $"messages[{2 * index + 1}]");
            var parts = new List<Part>();
            foreach (var call in open)
                parts.Add(new ToolResultPart(
                    call.Id,
                    call.Name,
                    RandomWords(random, $"{user}.content[{parts.Count}]", inner: true),
                    random.Next(3) == 0,
                    $"{user}.content[{parts.Count}]"));
            parts.AddRange(RandomWords(random, user, inner: false, parts.Count));
            turns.Add(new(Speaker.User, parts, user));

            open = [.. Enumerable.Range(
                0,
                random.Next(3)).Select(i => new ToolCallPart($"call_{index}_{i}", "tool", """{"city": "Köln","n":[1.50,null]}"""))];
            turns.Add(new(Speaker.Assistant, [new ReasoningPart("thought \n", "c2Vh=="), new TextPart("well"), .. open], assistant));
        }
        turns.RemoveAt(turns.Count - 1);
        return turns;
    }

    static List<Part> RandomWords(Random random, string path, bool inner, int from = 0)
    {
        var parts = new List<Part>();
        for (var i = random.Next(inner ? 0 : 1, 4); i > 0; i--)
        {
            var field = $"{path}.content[{from + parts.Count}]";
            parts.Add(random.Next(3) switch
            {
                0 => new ImagePart(null, null, "https://example.com/a.png", field),
                1 => new ImagePart("image/png", "AAAA", null, field),
                _ => new TextPart("some \"words\" 😀\n"),
            });
        }
        return parts;
    }

    static string? Maybe(Random random, string text) => random.Next(2) == 0 ? text : null;

    static string Show(Conversation said) => string.Join('\n',
    [
        .. said.System.Select(part => part.Text),
        .. said.Turns.Select(turn => $"{turn.Speaker} {turn.Field}: {Show(turn.Parts)}"), .. said.Tools.Select(tool =>
            tool.ToString()), $"{said.ToolChoice} {said.ParallelTools}",
        $"{said.Temperature} {said.TopP} "
            + $"{said.TopK} {said.Stop?.Field} {string.Join('/', said.Stop?.Value ?? [])} {said.Format} {said.Effort}",
    ]);

    static string Show(IEnumerable<Part> parts) =>
        string.Join(
            ", ",
            parts.Select(part => part is ToolResultPart result
                ? $"Result {result.CallId} {result.Name} {result.IsError} {result.Field} [{Show(result.Content)}]"
                : part.ToString()));

    static string Compose(Conversation said, string model = TakesBudget, int limit = 4000) =>
        Encoding.UTF8.GetString(Wires.Messages.Compose(said, model, limit, stream: false));

    /// <summary>As in life: only what passed the strict reading.</summary>
    static Conversation Understand(string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        Assert.True(Wires.Messages.TryRead(bytes, default, out var request, out var problem), problem?.Message);
        return Wires.Messages.Understand(bytes, request);
    }

    static string With(string member, string messages) => $$"""{"model":"m","max_tokens":9,"messages":[{{messages}}],{{member}}}""";

    static void AssertUntranslatable(string body, string param) =>
        Assert.Equal(("untranslatable_parameter", param), Refusal(() => Understand(body)));

    static void AssertUncomposable(Conversation said, string param) =>
        Assert.Equal(("untranslatable_parameter", param), Refusal(() => Compose(said)));

    static (string Code, string? Param) Refusal(Func<object> act)
    {
        var problem = Assert.Throws<ProblemException>(() => { act(); }).Problem;
        Assert.Contains(problem.Param!, problem.Message, StringComparison.Ordinal);
        return (problem.Code, problem.Param);
    }
}
