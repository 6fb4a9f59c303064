using System.Text;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// A member that changes neither the cost nor the meaning of an answer stops no request, from whatever wire to whatever wire: it is said
/// there, or left out and named.
/// </summary>
public sealed class LeftOutTests
{
    static readonly Dictionary<string, ConversationWire> AllWires = new()
    {
        ["chat"] = Wires.Chat, ["messages"] = Wires.Messages, ["responses"] = Wires.Responses, ["gemini"] = Wires.Gemini,
    };

    // One request of each wire with an object at every level. '~' stands where the member is put.
    static readonly Dictionary<string, string[]> Places = new()
    {
        ["chat"] =
        [
            """{"model":"m","messages":[{"role":"user","content":"a"}],~}""",
            """{"model":"m","messages":[{"role":"user","content":"a",~}]}""",
            """{"model":"m","messages":[{"role":"system","content":"s",~},{"role":"user","content":"a"}]}""",
            """{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a",~}]}]}""",
            """{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x",~}}]}]}""",
            """{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f",~}}]}""",
            """{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f"},~}]}""",
            """
            {"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant",~,
            "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"c","content":"r"}]}
            """,
            """
            {"model":"m","messages":[{"role":"user","content":"a"}],
            "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},~}}}
            """,
        ],
        ["messages"] =
        [
            """{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],~}""",
            """{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a",~}]}""",
            """{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"a",~}]}]}""",
            """{"model":"m","max_tokens":9,"system":[{"type":"text","text":"s",~}],"messages":[{"role":"user","content":"a"}]}""",
            """{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],"tools":[{"name":"f","input_schema":{},~}]}""",
            """{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],"thinking":{"type":"adaptive",~}}""",
            """{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],"output_config":{"effort":"low",~}}""",
            """
            {"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},
            {"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{},~}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"r"}]}]}
            """,
            """
            {"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},
            {"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"r",~}]}]}
            """,
            """
            {"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
            {"type":"document","source":{"type":"text","data":"d"},~}]}]}
            """,
        ],
        ["responses"] =
        [
            """{"model":"m","input":"a",~}""",
            """{"model":"m","input":[{"role":"user","content":"a",~}]}""",
            """{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a",~}]}]}""",
            """{"model":"m","input":"a","tools":[{"type":"function","name":"f",~}]}""",
            """{"model":"m","input":"a","tools":[{"type":"custom","name":"f",~}]}""",
            """{"model":"m","input":"a","tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"}],~}]}""",
            """{"model":"m","input":"a","reasoning":{"effort":"low",~}}""",
            """{"model":"m","input":"a","text":{"format":{"type":"text"},~}}""",
            """
            {"model":"m","input":[{"role":"user","content":"a"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}",~},
            {"type":"function_call_output","call_id":"c","output":"r"}]}
            """,
            """
            {"model":"m","input":[{"role":"user","content":"a"},{"type":"custom_tool_call","call_id":"c","name":"f","input":"x",~},
            {"type":"custom_tool_call_output","call_id":"c","output":"r"}]}
            """,
        ],
        ["gemini"] =
        [
            """{"contents":[{"parts":[{"text":"a"}]}],~}""",
            """{"contents":[{"parts":[{"text":"a"}],~}]}""",
            """{"contents":[{"parts":[{"text":"a",~}]}]}""",
            """{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{~}}""",
            """{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":9,~}}}""",
            """{"contents":[{"parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"f",~}]}]}""",
            """{"contents":[{"parts":[{"text":"a"}]}],"toolConfig":{~}}""",
            """{"contents":[{"parts":[{"text":"a"}]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO",~}}}""",
            """
            {"contents":[{"parts":[{"text":"a"}]},{"role":"model","parts":[{"functionCall":{"name":"f",~}}]},
            {"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}
            """,
        ],
    };

    /// <summary>
    /// What clients really send, beside what somebody will invent, each at the place of its index above. The last of each is the name that
    /// the caller reads where the target cannot say it.
    /// </summary>
    static readonly (string Wire, int Place, string Member, string Name)[] Known =
    [
        ("chat", 0, "\"seed\":1", "seed"),
        ("chat", 0, "\"top_k\":3", "top_k"),
        ("chat", 0, "\"min_p\":0.1", "min_p"),
        ("chat", 0, "\"verbosity\":\"low\"", "verbosity"),
        ("chat", 0, "\"store\":true", "store"),
        ("chat", 0, "\"user\":\"u\"", "user"),
        ("chat", 0, "\"prompt_cache_key\":\"k\"", "prompt_cache_key"),
        ("chat", 0, "\"chat_template_kwargs\":{\"enable_thinking\":false}", "chat_template_kwargs"),
        ("chat", 0, "\"frequency_penalty\":0.5", "frequency_penalty"),
        ("chat", 0, "\"reasoning_effort\":\"xhigh\"", "reasoning_effort"),
        ("chat", 0, "\"reasoning_effort\":\"more than ever\"", "reasoning_effort"),
        ("chat", 0, "\"response_format\":{\"type\":\"json_object\"}", "response_format"),
        ("chat", 0, "\"temperature\":1.9", "temperature"),
        ("chat", 1, "\"name\":\"eve\"", "name"),
        ("chat", 3, "\"cache_control\":{\"type\":\"ephemeral\"}", "cache_control"),
        ("chat", 8, "\"description\":\"The answer\"", "description"),
        ("messages", 0, "\"context_management\":{\"edits\":[{\"type\":\"clear_thinking_20251015\"}]}", "context_management"),
        ("messages", 0, "\"metadata\":{\"user_id\":\"u\"}", "metadata"),
        ("messages", 0, "\"output_config\":{\"effort\":\"max\",\"task_budget\":{\"total\":5}}", "task_budget"),
        ("messages", 0, "\"thinking\":{\"type\":\"between_tools\"}", ""),
        ("messages", 4, "\"defer_loading\":true", "defer_loading"),
        ("messages", 9, "\"title\":\"t\"", "title"),
        ("messages", 9, "\"context\":\"c\"", "context"),
        ("responses", 0, "\"client_metadata\":{\"x\":\"y\"}", "client_metadata"),
        ("responses", 0, "\"truncation\":\"auto\"", "truncation"),
        ("responses", 0, "\"include\":[\"web_search_call.action.sources\",\"reasoning.encrypted_content\"]", ""),
        ("responses", 0, "\"reasoning\":{\"effort\":\"xhigh\",\"summary\":\"auto\"}", ""),
        ("responses", 0, "\"max_tool_calls\":3", "max_tool_calls"),
        ("responses", 1, "\"end_turn\":true", "end_turn"),
        ("responses", 3, "\"defer_loading\":true", "defer_loading"),
        ("gemini", 3, "\"topK\":64", "topK"),
        ("gemini", 3, "\"mediaResolution\":\"MEDIA_RESOLUTION_LOW\"", "mediaResolution"),
        ("gemini", 0, "\"safetySettings\":[{\"category\":\"c\",\"threshold\":\"t\"}]", "safetySettings"),
        ("gemini", 0, "\"toolConfig\":{\"retrievalConfig\":{\"languageCode\":\"de\"}}", "retrievalConfig"),
    ];

    public static TheoryData<string, string> Pairs =>
        [.. AllWires.Keys.SelectMany(source => AllWires.Keys.Where(target => target != source), (source, target) => (source, target))];

    [Theory, MemberData(nameof(Pairs))]
    public void What_nobody_here_knows_is_left_out_and_named_at_every_level(string source, string target)
    {
        foreach (var place in Places[source])
            foreach (var value in (string[])["7", "\"on\"", "true", "[1]", "{\"a\":{\"b\":1}}"])
            {
                var (body, left) = Retold(source, target, place, $"\"somethingNew\":{value}");
                Assert.Contains("somethingNew", left);
                Assert.DoesNotContain("somethingNew", body, StringComparison.Ordinal);
            }
    }

    [Theory, MemberData(nameof(Pairs))]
    public void A_member_that_says_nothing_is_not_named(string source, string target)
    {
        foreach (var place in Places[source])
            foreach (var value in (string[])["null", "false", "[]", "{}", "\"\""])
                Assert.DoesNotContain("somethingNew", Retold(source, target, place, $"\"somethingNew\":{value}").Left);
    }

    [Theory, MemberData(nameof(Pairs))]
    public void What_clients_send_is_said_or_named(string source, string target)
    {
        foreach (var (_, place, member, name) in Known.Where(known => known.Wire == source))
        {
            var with = Retold(source, target, Places[source][place], member);
            var without = Retold(source, target, Places[source][place], "\"nothing\":null");
            if (name.Length > 0)
                Assert.True(with.Left.Contains(name) || with.Body != without.Body, $"{member} is neither said nor named");
        }
    }

    [Fact]
    public void The_highest_effort_becomes_the_highest_that_the_model_has()
    {
        Assert.Contains("\"reasoning_effort\":\"high\"", Effort("messages", "chat", "x"), StringComparison.Ordinal);
        Assert.Contains("\"reasoning_effort\":\"xhigh\"", Effort("messages", "chat", "gpt-5.2"), StringComparison.Ordinal);
        Assert.Contains("\"effort\":\"max\"", Effort("chat", "messages", "claude-opus-4-7", "max"), StringComparison.Ordinal);
        Assert.Contains("\"effort\":\"high\"", Effort("chat", "messages", "claude-opus-4-6", "xhigh"), StringComparison.Ordinal);
        Assert.Contains("\"thinkingLevel\":\"HIGH\"", Effort("messages", "gemini", "gemini-3-pro"), StringComparison.Ordinal);

        static string Effort(string source, string target, string model, string level = "max") => Retold(
            source, target, Places[source][0],
            source == "chat" ? $"\"reasoning_effort\":\"{level}\"" : $"\"output_config\":{{\"effort\":\"{level}\"}}", model).Body;
    }

    /// <summary>Each with the reason why it is no matter of taste: the list is written down in <see cref="Unsayable"/>.</summary>
    [Theory]
    [InlineData("chat", "\"n\":2", "n")]
    [InlineData("chat", "\"logprobs\":true", "logprobs")]
    [InlineData("chat", "\"logit_bias\":{\"5\":-100}", "logit_bias")]
    [InlineData("chat", "\"function_call\":\"auto\"", "function_call")]
    [InlineData("responses", "\"top_logprobs\":2", "top_logprobs")]
    [InlineData("gemini", "\"generationConfig\":{\"candidateCount\":2}", "generationConfig.candidateCount")]
    public void What_changes_the_answers_meaning_is_refused_by_name(string source, string member, string param)
    {
        foreach (var target in AllWires.Keys.Where(target => target != source))
        {
            var problem = Assert.Throws<ProblemException>(() => Retold(source, target, Places[source][0], member)).Problem;
            Assert.Equal(("untranslatable_parameter", param), (problem.Code, problem.Param));
        }
    }

    static (string Body, IReadOnlyList<string> Left) Retold(
        string source, string target, string place, string member, string model = "model-x")
    {
        var body = Encoding.UTF8.GetBytes(place.ReplaceLineEndings("").Replace("~", member, StringComparison.Ordinal));
        Assert.True(AllWires[source].TryRead(body, new("m", false, false), out var request, out var refused), refused?.Message);
        var conversation = AllWires[source].Understand(body, request);
        return (Encoding.UTF8.GetString(AllWires[target].Compose(conversation, model, 4000, stream: false)), conversation.LeftOut.Names);
    }
}
