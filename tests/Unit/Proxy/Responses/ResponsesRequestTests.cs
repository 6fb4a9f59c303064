using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Responses;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ResponsesRequestTests
{
    [Fact]
    public void Reads_what_decides_the_cost_of_a_request()
    {
        var request = Accepted("""
            {"model":"gpt-5","stream":true,"max_output_tokens":50,"instructions":"be brief",
                "tools":[{"type":"function","name":"f","parameters":{}}],"include":["reasoning.encrypted_content"],
             "store":true,"background":false,"previous_response_id":null,"service_tier":"auto","something_new":{"x":1},
             "input":[{"role":"user","content":"a"},{"type":"message","role":"user","content":[{"type":"input_text","text":"b"},
                {"type":"input_image","image_url":"https://x/y.png","detail":"auto"}]},
              {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c",
                "output":[{"type":"input_image","image_url":"data:image/png;base64,AA=="}]},
              {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAA"}]}
            """.Unwrapped());

        Assert.Equal(("gpt-5", true, true, 50, 1), (request.Model, request.Stream, request.WantsUsage, request.MaxTokens, request.Choices));
        Assert.Equal((5, 2, true), (request.Messages, request.Images, request.HasTools));
    }

    [Theory]
    [InlineData("""{"input":"a"}""", "missing_field", "model")]
    [InlineData("""{"model":"m"}""", "missing_field", "input")]
    [InlineData("""{"model":"m","input":null}""", "missing_field", "input")]
    [InlineData("""{"model":"m","input":[]}""", "invalid_value", "input")]
    [InlineData("""{"model":"m","input":7}""", "invalid_value", "input")]
    [InlineData("""{"model":"m","input":["a"]}""", "invalid_value", "input[0]")]
    [InlineData("""{"model":"m","input":"a","max_output_tokens":"10"}""", "invalid_value", "max_output_tokens")]
    [InlineData("""{"model":"m","input":"a","Max_Output_Tokens":10}""", "invalid_value", "Max_Output_Tokens")]
    [InlineData("""{"model":"m","input":"a","model":"n"}""", "malformed_json", "model")]
    public void What_is_no_request_is_refused_by_name(string body, string code, string param) => Refused(body, code, param);

    [Theory]
    [InlineData(""" "previous_response_id":"resp_1" """, "previous_response_id")]
    [InlineData(""" "Previous_Response_Id":"resp_1" """, "Previous_Response_Id")]
    [InlineData(""" "conversation":{"id":"conv_1"} """, "conversation")]
    [InlineData(""" "prompt":{"id":"pmpt_1"} """, "prompt")]
    [InlineData(""" "background":true """, "background")]
    [InlineData(""" "context_management":[{"type":"compaction"}] """, "context_management")]
    [InlineData(""" "service_tier":"priority" """, "service_tier")]
    [InlineData(""" "tools":[{"type":"mcp","server_url":"https://x"}] """, "tools[0].type")]
    [InlineData(""" "tools":[{"type":"shell","environment":{"type":"container_auto"}}] """, "tools[0].type")]
    [InlineData(""" "tools":[{"type":"namespace","name":"n","tools":[{"type":"web_search"}]}] """, "tools[0].tools[0].type")]
    [InlineData(""" "tool_choice":{"type":"web_search"},"tools":[{"type":"function","name":"f"},{"type":"mcp"}] """, "tool_choice.type")]
    [InlineData(""" "tools":[{"type":"web_search"},{"type":"mcp"}],"max_tool_calls":5 """, "tools[1].type")]
    [InlineData(""" "tools":[{"name":"f"}] """, "tools[0].type")]
    public void Members_without_a_price_are_refused_by_name(string member, string param) =>
        Refused($$"""{"model":"m","input":"a",{{member}}}""", "unpriceable_parameter", param);

    [Theory]
    [InlineData("""{"type":"item_reference","id":"msg_1"}""", "input[0].type")]
    [InlineData("""{"id":"msg_1"}""", "input[0]")]
    [InlineData("""{"type":"message","id":"msg_1","role":"assistant"}""", "input[0]")]
    [InlineData("""{"type":"function_call","id":"fc_1"}""", "input[0]")]
    [InlineData("""{"type":"image_generation_call","id":"ig_1","status":"completed"}""", "input[0]")]
    [InlineData("""{"type":"local_shell_call","id":"x"}""", "input[0]")]
    [InlineData("""{"type":"compaction_trigger"}""", "input[0].type")]
    [InlineData("""{"type":"reasoning","id":"rs_1","summary":[]}""", "input[0]")]
    [InlineData("""{"type":"message","id":"msg_1","role":"assistant","encrypted_content":"x"}""", "input[0]")]
    [InlineData("""{"role":"user","content":[{"type":"input_file","file_id":"f"}]}""", "input[0].content[0].file_id")]
    [InlineData("""{"role":"user","content":[{"type":"input_image","file_id":"f"}]}""", "input[0].content[0].file_id")]
    public void Items_of_unknown_size_are_refused_by_name(string item, string param) =>
        Refused($$"""{"model":"m","input":[{{item}}]}""", "unpriceable_parameter", param);

    [Theory]
    [InlineData("""{"model":"m","input":"a"}""", """{"model":"up","input":"a","max_output_tokens":9,"store":false}""")]
    [InlineData("""{"max_output_tokens":null, "model" : "m","input":"a","store":null}""",
        """{"max_output_tokens":9, "model" : "up","input":"a","store":false}""")]
    [InlineData("""{"store":true,"model":"m","input":"a","max_output_tokens":50,"x":1.50}""",
        """{"store":false,"model":"up","input":"a","max_output_tokens":9,"x":1.50}""")]
    [InlineData("""{"model":"up","input":"a","max_output_tokens":9,"store":false}""",
        """{"model":"up","input":"a","max_output_tokens":9,"store":false}""")]
    public void The_provider_gets_its_name_of_the_model_and_the_limit_that_is_reserved_and_stores_nothing(string body, string expected) =>
        Assert.Equal(
            expected,
            Encoding.UTF8.GetString(Accepted(body).Rewrite(Encoding.UTF8.GetBytes(body), "up", 9, injectUsage: true).Span));

    [Fact]
    public void The_texts_of_a_request_are_counted_where_the_provider_did_not() =>
        Assert.Equal(
            7,
            TokenEstimate.OfRequest(
                """{"model":"not me","instructions":"be brief","input":[{"role":"user","content":[{"text":"one two"}]},"""u8
                    + """{"output":"three four five"}]}"""u8));

    [Theory]
    [InlineData(
        """{"input_tokens":20,"output_tokens":7,"total_tokens":27,"input_tokens_details":{"cached_tokens":5},"output_tokens_details":"""
            + """{"reasoning_tokens":3}}""",
        15, 5, 4, 3,
        null)]
    [InlineData("""{"input_tokens":20,"output_tokens":7}""", 20, 0, 7, 0, null)]
    [InlineData("""{"input_tokens":20,"output_tokens":7,"total_tokens":27,"output_tokens_details":{"reasoning_tokens":30}}""", 20, 0, 7, 0,
        ProviderUsage.DetailsExceedWhole)]
    public void Usage_is_split_into_meters(string json, long input, long cached, long output, long reasoning, string? reason)
    {
        var read = ResponsesUsage.Read(Encoding.UTF8.GetBytes(json));
        Assert.Equal(
            (input, cached, output, reasoning, reason),
            (read.Usage![Meter.Input], read.Usage[Meter.CachedInput], read.Usage[Meter.Output], read.Usage[Meter.Reasoning], read.Reason));
    }

    [Theory]
    [InlineData("""{"input_tokens":0,"output_tokens":7}""", ProviderUsage.Zero)]
    [InlineData("""{"input_tokens":-1,"output_tokens":7}""", ProviderUsage.Negative)]
    [InlineData("""{"input_tokens":"20"}""", ProviderUsage.Malformed)]
    public void Impossible_usage_is_not_believed(string json, string reason) =>
        Assert.Equal(
            (null, reason),
            (ResponsesUsage.Read(Encoding.UTF8.GetBytes(json)).Usage, ResponsesUsage.Read(Encoding.UTF8.GetBytes(json)).Reason));

    internal static ResponsesRequest Accepted(string body)
    {
        Assert.True(Wires.Responses.TryRead(Encoding.UTF8.GetBytes(body), default, out var request, out var problem), problem?.Message);
        return (ResponsesRequest)request;
    }

    static void Refused(string body, string code, string param)
    {
        Assert.False(Wires.Responses.TryRead(Encoding.UTF8.GetBytes(body), default, out _, out var problem));
        Assert.Equal((code, param), (problem.Code, problem.Param));
    }
}
