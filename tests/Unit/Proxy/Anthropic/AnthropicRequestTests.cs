using System.Text;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Anthropic;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class AnthropicRequestTests
{
    const string Messages = """[{"role":"user","content":"hello"}]""";

    [Fact]
    public void Reads_what_decides_the_cost_of_a_request()
    {
        var request = Accepted("""
            {"model":"claude-sonnet-4-5","max_tokens":300,"stream":true,
                "system":[{"type":"text","text":"be kind","cache_control":{"type":"ephemeral","ttl":"1h"}}],
             "tools":[{"name":"f","input_schema":{"type":"object"}},{"type":"custom","name":"g","input_schema":{}}],
                "thinking":{"type":"enabled","budget_tokens":200},"service_tier":"standard_only",
             "context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]},"metadata":{"user_id":"u"},"speed":null,"mcp_servers":[],
                "container":null,
             "messages":[{"role":"user","content":[{"type":"text","text":"a"},
                {"type":"image","source":{"type":"url","url":"https://x/y.png"}},
               {"type":"document","source":{"type":"text","media_type":"text/plain","data":"b"}}]},
              {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},
                {"type":"tool_use","id":"c","name":"f","input":{"type":"film"}}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"c",
                "content":[{"source":{"data":"AAAA","type":"base64","media_type":"image/png"},"type":"image"}]}]}]}
            """.Unwrapped());

        Assert.Equal("claude-sonnet-4-5", request.Model);
        Assert.True(request.Stream && request.WantsUsage && request.HasTools);
        Assert.Equal((300, 1, 3, 2), (request.MaxTokens, request.Choices, request.Messages, request.Images));
    }

    [Theory]
    [InlineData("""{"max_tokens":1,"messages":[{}]}""", "missing_field", "model")]
    [InlineData("""{"model":"m","messages":[{}]}""", "missing_field", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":null,"messages":[{}]}""", "missing_field", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":0,"messages":[{}]}""", "invalid_value", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":"5","messages":[{}]}""", "invalid_value", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":5}""", "missing_field", "messages")]
    [InlineData("""{"model":"m","max_tokens":5,"messages":[]}""", "invalid_value", "messages")]
    [InlineData("""{"model":"m","max_tokens":5,"messages":[{},7]}""", "invalid_value", "messages[1]")]
    [InlineData("""{"model":"m","max_tokens":5,"messages":[{"content":7}]}""", "invalid_value", "messages[0].content")]
    [InlineData("""{"model":"m","max_tokens":5,"messages":[{"content":["x"]}]}""", "invalid_value", "messages[0].content[0]")]
    [InlineData("""{"model":"m","max_tokens":5,"messages":[{"content":[{"type":"tool_result","content":[{"type":"text"},1]}]}]}""",
        "invalid_value", "messages[0].content[0].content[1]")]
    public void A_request_without_its_main_parts_is_refused(string body, string code, string param) => Refused(body, code, param);

    [Theory]
    [InlineData("\"stream\":1", "stream")]
    [InlineData("\"system\":7", "system")]
    [InlineData("\"tools\":{}", "tools")]
    [InlineData("\"tools\":[7]", "tools[0]")]
    [InlineData("\"thinking\":true", "thinking")]
    [InlineData("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1e4}", "thinking.budget_tokens")]
    [InlineData("\"Max_Tokens\":5", "Max_Tokens")]
    [InlineData("\"SPEED\":\"fast\"", "SPEED")]
    public void A_member_of_the_wrong_form_is_refused_by_name(string member, string param) => Refused(With(member), "invalid_value", param);

    [Theory]
    [InlineData("\"service_tier\":\"priority\"", "service_tier")]
    [InlineData("\"speed\":\"fast\"", "speed")]
    [InlineData("\"inference_geo\":\"us\"", "inference_geo")]
    [InlineData("\"container\":\"c\"", "container")]
    [InlineData("\"mcp_servers\":[{\"url\":\"https://x\"}]", "mcp_servers")]
    [InlineData("\"MCP_servers\":[{\"url\":\"https://x\"}]", "MCP_servers")]
    [InlineData("\"workspace_id\":\"w\"", "workspace_id")]
    [InlineData("\"tools\":[{\"type\":\"web_fetch_20250910\",\"name\":\"web_fetch\",\"max_uses\":5}]", "tools[0].type")]
    [InlineData(
        "\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_fetch\"},"
            + "\"tools\":[{\"name\":\"f\"},{\"name\":\"web_fetch\",\"type\":\"web_fetch_20250910\"}]",
        "tools[1].type")]
    [InlineData("\"context_management\":{\"edits\":[{\"type\":\"clear_x\"},{\"type\":\"compact_20260112\"}]}",
        "context_management.edits[1]")]
    [InlineData("\"context_management\":{\"edits\":[7]}", "context_management.edits[0]")]
    public void A_parameter_whose_cost_has_no_price_is_refused_by_name(string member, string param) =>
        Refused(With(member), "unpriceable_parameter", param);

    [Theory]
    [InlineData("""{"type":"image","source":{"type":"file","file_id":"f"}}""", "messages[0].content[0].source")]
    [InlineData("""{"type":"container_upload","file_id":"f"}""", "messages[0].content[0].file_id")]
    [InlineData("""{"type":"tool_result","content":[{"type":"document","source":{"type":"file"}}]}""",
        "messages[0].content[0].content[0].source")]
    public void Files_that_the_provider_stores_are_refused_by_name(string block, string param) =>
        Refused($$"""{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{{block}}]}]}""", "unpriceable_parameter", param);

    [Theory]
    [InlineData("{\"model\":\"m\",\"model\":\"m\",\"max_tokens\":5,\"messages\":[{}]}")]
    [InlineData("{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"content\":[{\"type\":\"text\",\"type\":\"document\"}]}]}")]
    [InlineData("[]")]
    [InlineData("")]
    public void Text_that_two_parsers_could_read_differently_is_refused(string body) => Refused(body, "malformed_json", null);

    [Theory]
    [InlineData("""{"model":"m","max_tokens":500,"x":1.50}""", "up", 500, """{"model":"up","max_tokens":500,"x":1.50}""")]
    [InlineData("""{"max_tokens" : 500,"model":"m"}""", "m", 40, """{"max_tokens" : 40,"model":"m"}""")]
    [InlineData("""{"model":"m","thinking":{"type":"enabled","budget_tokens":3000},"max_tokens":5000}""", "m", 4000,
        """{"model":"m","thinking":{"type":"enabled","budget_tokens":3000},"max_tokens":4000}""")]
    [InlineData("""{"model":"m","thinking":{"type":"enabled","budget_tokens":3000},"max_tokens":5000}""", "m", 2000,
        """{"model":"m","thinking":{"type":"enabled","budget_tokens":1999},"max_tokens":2000}""")]
    [InlineData("""{"model":"m","thinking":{"type":"enabled","budget_tokens":9000},"max_tokens":5000}""", "m", 2000,
        """{"model":"m","thinking":{"type":"enabled","budget_tokens":9000},"max_tokens":2000}""")]
    public void Only_the_model_and_what_is_reserved_differ_in_what_the_provider_gets(string body, string model, int limit, string sent)
    {
        (body, sent) = (body[..^1] + $",\"messages\":{Messages}}}", sent[..^1] + $",\"messages\":{Messages}}}");
        var bytes = Encoding.UTF8.GetBytes(body);
        Assert.Equal(sent, Encoding.UTF8.GetString(Accepted(body).Rewrite(bytes, model, limit, injectUsage: true).Span));
    }

    [Fact]
    public void A_balance_that_leaves_no_room_for_thinking_is_told_so()
    {
        var body = With("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}").Replace(
            "\"max_tokens\":5",
            "\"max_tokens\":5000",
            StringComparison.Ordinal);
        var refused = Assert.Throws<ProblemException>(() => Accepted(body).Rewrite(Encoding.UTF8.GetBytes(body), "m", 1024, false));
        Assert.Equal(
            (402, "wallet_exhausted", "thinking.budget_tokens"),
            (refused.Problem.Status, refused.Problem.Code, refused.Problem.Param));
    }

    [Fact]
    public void No_mutation_of_a_request_makes_the_reader_throw() => Seeds.ForEach(10_000, random =>
    {
        var body = Encoding.UTF8.GetBytes("""
            {"model":"m\u0061","max_tokens":9000,"stream":true,"thinking":{"type":"enabled","budget_tokens":2000},
                "system":[{"type":"text","text":"s"}],"tools":[{"type":"custom"}],
            "messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"😀"}]}]}]}
            """.Unwrapped());
        for (var i = random.Next(1, 4); i > 0; i--)
            body[random.Next(body.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : body[random.Next(body.Length)];
        var length = random.Next(3) == 0 ? random.Next(body.Length) : body.Length;
        if (Wires.Messages.TryRead(body.AsSpan(0, length), default, out var request, out var problem))
            Accepted(Encoding.UTF8.GetString(request.Rewrite(body.AsMemory(0, length), "up", 1500, true).Span));
        else
            Assert.Equal(400, problem.Status);
    });

    static string With(string member) => $$"""{"model":"m","max_tokens":5,"messages":{{Messages}},{{member}}}""";

    static AnthropicRequest Accepted(string body)
    {
        Assert.True(Wires.Messages.TryRead(Encoding.UTF8.GetBytes(body), default, out var request, out var problem), problem?.Message);
        return (AnthropicRequest)request;
    }

    static void Refused(string body, string code, string? param)
    {
        Assert.False(Wires.Messages.TryRead(Encoding.UTF8.GetBytes(body), default, out _, out var problem));
        Assert.Equal((400, code), (problem.Status, problem.Code));
        if (param is null)
            return;
        Assert.Equal(param, problem.Param);
        Assert.Contains(param, problem.Message, StringComparison.Ordinal);
    }
}
