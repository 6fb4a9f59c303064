using System.Text;
using System.Text.Json;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class GeminiTranslationTests
{
    const string Schema = """{"type":"object","properties":{"city":{"type":"string"}}}""";

    static readonly Conversation Everything = new()
    {
        System = [new("Be brief."), new("Be kind.")],
        Turns =
        [
            new(Speaker.User, [
                new TextPart("Look: \"é\""),
                new ImagePart("image/png", "AAAA", null, ""),
                new ImagePart("image/jpeg", null, "https://x/y.jpg", ""),
            ], ""),
            new(Speaker.Assistant, [
                new TextPart("I ask."),
                new ToolCallPart("c1", "weather", """{"city":"Köln"}""", "c2ln"),
                new ToolCallPart("c2", "now", "{}"),
            ], ""),
            new(Speaker.User, [
                new ToolResultPart("c1", "weather", [new TextPart("rain"), new ImagePart("image/png", "BBBB", null, "")], false, ""),
                new ToolResultPart("c2", "now", [new TextPart("no clock")], true, ""),
            ], ""),
            new(Speaker.Assistant, [new TextPart("It rains.")], ""),
            new(Speaker.User, [new TextPart("Thanks.")], ""),
        ],
        Tools = [new("weather", "What it is like outside.", Schema, true, ""), new("now", null, null, true, "")],
        ToolChoice = new(ToolMode.Auto, null, ""),
        Temperature = new(0.5m, ""),
        TopP = new(0.25m, ""),
        TopK = new(40, ""),
        Seed = new(7, ""),
        FrequencyPenalty = new(0.5m, ""),
        PresencePenalty = new(-0.5m, ""),
        Stop = new(["END", "\n\n"], ""),
        Format = new(null, Schema, true, ""),
        Effort = new(null, 2048, true, ""),
    };

    static readonly Turn WithoutImages = new(
        Speaker.User,
        [
            new ToolResultPart("c1", "weather", [new TextPart("rain")], false, ""),
            new ToolResultPart("c2", "now", [new TextPart("no clock")], true, ""),
        ],
        "");

    [Theory]
    [InlineData("gemini-2.5-flash")]
    [InlineData("gemini-3-pro")]
    [InlineData("somebody's")]
    public void What_is_said_in_Geminis_words_is_understood_again(string model)
    {
        // The older generations take no form of answers beside functions, and no images in results.
        var said = model == "gemini-3-pro"
            ? Everything
            : Everything with { Format = null, Turns = [.. Everything.Turns.Take(2), WithoutImages, .. Everything.Turns.Skip(3)] };
        var body = Wires.Gemini.Compose(said, model, 77, stream: true);

        Assert.Equal(Show(said), Show(Understood(body)));
        Assert.Equal(77, Read(body).MaxTokens);
    }

    [Fact]
    public void Images_of_results_follow_them_where_results_are_texts()
    {
        var parts = JsonDocument.Parse(Wires.Gemini.Compose(Everything with { Format = null }, "gemini-2.5-flash", 7, stream: false))
            .RootElement.GetProperty("contents")[2].GetProperty("parts");
        Assert.Equal(["functionResponse", "inlineData", "functionResponse"],
            parts.EnumerateArray().Select(part => part.EnumerateObject().First().Name));
    }

    [Theory]
    [InlineData(ToolMode.None, null)]
    [InlineData(ToolMode.Required, null)]
    [InlineData(ToolMode.One, "weather")]
    public void A_choice_of_tools_survives(ToolMode mode, string? name)
    {
        var conversation = Everything with
        {
            Tools = [new("weather", null, null, false, "")], ToolChoice = new(mode, name, ""), Format = null,
        };
        Assert.Equal(Show(conversation), Show(Understood(Wires.Gemini.Compose(conversation, "gemini-3-x", 7, stream: false))));
    }

    [Theory]
    [InlineData("gemini-3-pro", "high", null, """{"thinkingLevel":"HIGH"}""")]
    [InlineData("gemini-3-pro", "none", null, """{"thinkingLevel":"LOW"}""")]
    [InlineData("gemini-3-flash", "none", null, """{"thinkingLevel":"MINIMAL"}""")]
    [InlineData("gemini-3-flash", "xhigh", null, """{"thinkingLevel":"HIGH"}""")]
    [InlineData("gemini-2.5-pro", "none", null, """{"thinkingBudget":128}""")]
    [InlineData("gemini-2.5-flash", "max", null, """{"thinkingBudget":24576}""")]
    [InlineData("gemini-2.5-pro", "low", null, """{"thinkingBudget":1024}""")]
    [InlineData("gemini-2.5-pro", null, -1, """{"thinkingBudget":-1}""")]
    [InlineData("gemini-3-pro", null, 512, """{"thinkingBudget":512}""")]
    public void Thinking_is_asked_for_as_the_model_understands_it(string model, string? level, int? budget, string config)
    {
        var body = Wires.Gemini.Compose(Everything with { Effort = new(level, budget, false, "") }, model, 77, stream: false);
        Assert.Equal(
            config,
            JsonDocument.Parse(body).RootElement.GetProperty("generationConfig").GetProperty("thinkingConfig").GetRawText());
    }

    [Fact]
    public void The_third_generation_gets_calls_without_a_seal_marked_as_such()
    {
        var conversation = Everything with { Turns =
        [
            new(Speaker.User, [new TextPart("a")], ""),
            new(Speaker.Assistant, [new ToolCallPart("c1", "f", "{}"), new ToolCallPart("c2", "f", "{}")], ""),
        ] };
        var third = Wires.Gemini.Compose(conversation, "models/gemini-3.1-pro", 7, stream: false);

        Assert.Equal(1, Encoding.UTF8.GetString(third).Split("skip_thought_signature_validator").Length - 1);
        Assert.Equal(Show(conversation), Show(Understood(third)));
        Assert.DoesNotContain(
            "thoughtSignature",
            Encoding.UTF8.GetString(Wires.Gemini.Compose(conversation, "gemini-2.5-pro", 7, stream: false)),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Turns_of_one_speaker_become_one()
    {
        var body = Wires.Gemini.Compose(
            new() { Turns = [new(Speaker.User, [new TextPart("a")], ""), new(Speaker.User, [new TextPart("b")], "")] },
            "m",
            7,
            stream: false);
        Assert.Equal(
            """[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}]""",
            JsonDocument.Parse(body).RootElement.GetProperty("contents").GetRawText());
    }

    [Fact]
    public void Googles_dialect_of_schemas_becomes_JSON_Schema()
    {
        var conversation = Understood(Encoding.UTF8.GetBytes("""
            {"contents":{"parts":{"text":"a"}},"tools":{"function_declarations":{"name":"f",
                "parameters":{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true},
             "any_of":{"type":"ARRAY","items":{"type":"INTEGER"},"min_items":"2"}},"propertyOrdering":["type"],"required":["type"]}}},
             "generationConfig":{"response_mime_type":"application/json","response_schema":{"any_of":[{"type":"NUMBER"}]}}}
            """.Unwrapped()));

        Assert.Equal(
            """
            {"type":"object","properties":{"type":{"type":["string","null"]},"any_of":{"type":"array","items":{"type":"integer"},
            "minItems":2}},"required":["type"]}
            """.ReplaceLineEndings(""),
            conversation.Tools[0].Schema);
        Assert.Equal("""{"anyOf":[{"type":"number"}]}""", conversation.Format!.Schema);
    }

    [Fact]
    public void Calls_and_responses_without_ids_find_each_other_by_name_and_order()
    {
        var conversation = Understood(Encoding.UTF8.GetBytes("""
            {"contents":[{"parts":[{"text":"a"}]},
             {"role":"model","parts":[{"functionCall":{"name":"f","args":{"n":1}}},{"functionCall":{"name":"g"}},
                {"functionCall":{"name":"f","args":{"n":2}}}]},
             {"role":"function","parts":[{"functionResponse":{"name":"f","response":{"result":"one"}}},
                {"functionResponse":{"name":"f","response":{"a":1,"b":2}}}]},
             {"role":"user","parts":[{"functionResponse":{"name":"g","response":{"error":"no"}}}]}]}
            """.Unwrapped()));

        var calls = conversation.Turns[1].Parts.Cast<ToolCallPart>().Select(call => call.Id).ToArray();
        var results = conversation.Turns.SelectMany(turn => turn.Parts).OfType<ToolResultPart>().ToArray();
        Assert.Equal(["call_0", "call_1", "call_2"], calls);
        Assert.Equal([("call_0", "one", false), ("call_2", """{"a":1,"b":2}""", false), ("call_1", "no", true)],
            results.Select(result => (result.CallId, ((TextPart)result.Content[0]).Text, result.IsError)));
    }

    [Theory]
    [InlineData("\"generationConfig\":{\"candidateCount\":2}", "generationConfig.candidateCount")]
    [InlineData("\"generationConfig\":{\"responseLogprobs\":true}", "generationConfig.responseLogprobs")]
    [InlineData("\"generationConfig\":{\"responseMimeType\":\"text/x.enum\"}", "generationConfig.responseMimeType")]
    [InlineData("\"systemInstruction\":{\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"\"}}]}",
        "systemInstruction.parts[0]")]
    public void What_only_Gemini_can_say_is_refused_by_name(string member, string field)
    {
        var body = Encoding.UTF8.GetBytes($$"""{"contents":[{"parts":[{"text":"a"}]}],{{member}}}""");
        var problem = Assert.Throws<ProblemException>(() => Understood(body)).Problem;
        Assert.Equal(("untranslatable_parameter", field), (problem.Code, problem.Param));
    }

    [Fact]
    public void What_Gemini_cannot_say_is_refused_by_the_callers_name() => Assert.All<(Conversation Said, string Field)>(
    [
        (Everything with { Stop = new(["a", "b", "c", "d", "e", "f"], "stop") }, "stop"),
        (
            Everything with { Turns = [new(Speaker.User, [new ToolResultPart("c", null, [], false, "messages[0]")], "messages[0]")] },
            "messages[0]"),
    ],
    refused => Assert.Equal(
        refused.Field,
        Assert.Throws<ProblemException>(() => Wires.Gemini.Compose(refused.Said, "m", 7, stream: false)).Problem.Param));

    static ModelRequest Read(byte[] body)
    {
        Assert.True(Wires.Gemini.TryRead(body, new("m", false, false), out var request, out var problem), problem?.Message);
        return request;
    }

    static Conversation Understood(byte[] body) => Wires.Gemini.Understand(body, Read(body));

    /// <summary>All that a conversation says, but where it stood.</summary>
    static string Show(Conversation said) => string.Join('\n',
    [
        .. said.System.Select(part => part.Text),
        .. said.Turns.Select(turn => $"{turn.Speaker}: {string.Join(" | ", turn.Parts.Select(Show))}"),
        .. said.Tools.Select(tool => (tool with { Field = "" }).ToString()),
        $"{(said.ToolChoice is { } choice ? choice with { Field = "" } : null)} {said.ParallelTools?.Value}",
        $"{said.Temperature?.Value} "
            + $"{said.TopP?.Value} {said.TopK?.Value} "
            + $"{said.Seed?.Value} {said.FrequencyPenalty?.Value} {said.PresencePenalty?.Value} {string.Join('|', said.Stop?.Value ?? [])}",
        $"{(said.Format is { } format ? format with { Field = "" } : null)} "
            + $"{(said.Effort is { } effort ? effort with { Field = "" } : null)}",
    ]);

    static string Show(Part part) => part switch
    {
        ImagePart image => (image with { Field = "" }).ToString(),
        ToolResultPart result => $"{(result with { Field = "", Content = [] })} {string.Join(" + ", result.Content.Select(Show))}",
        _ => part.ToString(),
    };
}
