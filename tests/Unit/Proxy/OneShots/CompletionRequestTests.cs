using System.Buffers;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class CompletionRequestTests
{
    [Theory]
    [InlineData("\"hello\"", 1)]
    [InlineData("[\"hello\",\"you\"]", 2)]
    [InlineData("[15339,499]", 1)]
    [InlineData("[[15339],[499,2],[7]]", 3)]
    public void Each_prompt_has_its_own_choices(string prompt, int prompts)
    {
        var request = Accepted(
            $$"""{"n":3,"best_of":3,"model":"m","prompt":{{prompt}},"max_tokens":50,"stream":true,"stream_options":"""
                + $$"""{"include_usage":true},"suffix":"x","logprobs":5}""");
        Assert.Equal(
            ("m", 3 * prompts, 50, true, true, null),
            (request.Model, request.Choices, request.MaxTokens, request.Stream, request.WantsUsage, request.EchoedTokens));
    }

    [Fact]
    public void Output_is_bounded_by_the_vendors_default_when_the_caller_names_no_limit()
    {
        Assert.Equal(16, Accepted("""{"model":"m","prompt":"x"}""").MaxTokens);
        Assert.Equal(16, Accepted("""{"model":"m","prompt":"x","max_tokens":null}""").MaxTokens);
        Assert.Equal(0, Accepted("""{"model":"m","prompt":"x","max_tokens":0,"echo":true}""").MaxTokens);
    }

    [Fact]
    public void Each_prompt_may_fill_the_models_context()
    {
        var prompt = new string('x', 100);
        Assert.Equal(10, Accepted($$"""{"model":"m","prompt":"{{prompt}}"}""").InputBound(10));
        Assert.Equal(20, Accepted($$"""{"model":"m","prompt":["{{prompt}}","{{prompt}}"]}""").InputBound(10));
    }

    [Theory]
    [InlineData("""{"model":"m"}""", "missing_field", "prompt")]
    [InlineData("""{"model":"m","prompt":null}""", "missing_field", "prompt")]
    [InlineData("""{"prompt":"x"}""", "missing_field", "model")]
    [InlineData("""{"model":"m","prompt":7}""", "invalid_value", "prompt")]
    [InlineData("""{"model":"m","prompt":[]}""", "invalid_value", "prompt")]
    [InlineData("""{"model":"m","prompt":["x",1]}""", "invalid_value", "prompt")]
    [InlineData("""{"model":"m","prompt":[{"text":"x"}]}""", "invalid_value", "prompt")]
    [InlineData("""{"model":"m","prompt":[["x"]]}""", "invalid_value", "prompt")]
    [InlineData("""{"model":"m","prompt":["x","y"],"n":65}""", "invalid_value", "prompt")]
    [InlineData("""{"model":"m","prompt":"x","n":0}""", "invalid_value", "n")]
    [InlineData("""{"model":"m","prompt":"x","max_tokens":-1}""", "invalid_value", "max_tokens")]
    [InlineData("""{"model":"m","prompt":"x","Max_Tokens":9}""", "invalid_value", "Max_Tokens")]
    [InlineData("""{"model":"m","prompt":"x","suffix":["y"]}""", "invalid_value", "suffix")]
    [InlineData("""{"best_of":3,"model":"m","prompt":"x","n":2}""", "unpriceable_parameter", "best_of")]
    [InlineData("""{"model":"m","prompt":"x","service_tier":"priority"}""", "unpriceable_parameter", "service_tier")]
    [InlineData("""{"model":"m","prompt":"x","api_base":"http://127.0.0.1:1"}""", "unpriceable_parameter", "api_base")]
    public void What_cannot_be_bounded_is_refused(string body, string code, string param)
    {
        Assert.False(Wires.Completions.TryRead(Encoding.UTF8.GetBytes(body), default, out _, out var problem));
        Assert.Equal((400, code, param), (problem.Status, problem.Code, problem.Param));
    }

    [Theory]
    [InlineData("""{"model":"x","prompt":"p"}""", """{"model":"up-1","prompt":"p","max_tokens":9}""")]
    [InlineData("""{"model":"up-1","prompt":"p","max_tokens":null}""", """{"model":"up-1","prompt":"p","max_tokens":9}""")]
    [InlineData("""{"model":"up-1","prompt":[1, 2],"max_tokens":9,"echo":true,"logprobs":0}""",
        """{"model":"up-1","prompt":[1, 2],"max_tokens":9,"echo":true,"logprobs":0}""")]
    [InlineData("""{"model":"up-1","prompt":"p","max_tokens":90,"stream":true}""",
        """{"model":"up-1","prompt":"p","max_tokens":9,"stream":true,"stream_options":{"include_usage":true}}""")]
    [InlineData("""{"stream_options":{"include_usage":false},"stream":true,"model":"up-1","prompt":"p"}""",
        """{"stream_options":{"include_usage":true},"stream":true,"model":"up-1","prompt":"p","max_tokens":9}""")]
    public void Only_what_must_change_is_changed(string body, string expected) =>
        Assert.Equal(
            expected,
            Encoding.UTF8.GetString(Accepted(body).Rewrite(Encoding.UTF8.GetBytes(body), "up-1", 9, injectUsage: true).Span));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_stream_is_relayed_as_in_chat(bool wantsUsage)
    {
        var body = Encoding.UTF8.GetBytes(
            $$$"""{"model":"m","prompt":["x","y"],"stream":true,"stream_options":"""
                + $$$"""{"include_usage":{{{(wantsUsage ? "true" : "false")}}}}}""");
        var words = """
            data: {"id":"c","object":"text_completion","choices":[{"index":0,"text":"a b","finish_reason":null}]}

            data: {"id":"c","object":"text_completion","choices":[{"index":0,"text":"","finish_reason":"stop"},
                {"index":1,"text":"c","finish_reason":"length"}]}


            """.Unwrapped().ReplaceLineEndings("\n");
        var usage = """data: {"id":"c","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}}""";
        using var relay = Wires.Completions.NewRelay(Accepted(Encoding.UTF8.GetString(body)));
        var sent = new ArrayBufferWriter<byte>();

        relay.Push(Encoding.UTF8.GetBytes($"{words}{usage}\n\ndata: [DONE]\n\n"), sent);
        Assert.Equal(words, Encoding.UTF8.GetString(sent.WrittenSpan));
        Assert.Equal((true, true, 3), (relay.IsDone, relay.IsWhole, relay.Meter.DeliveredTokens));

        relay.WriteTail(sent, relay.Meter.Settle(body).Usage, new Money(1230));
        Assert.Equal(words
            + (wantsUsage ? usage.Replace("3}}", "3,\"cost\":\"0.00000123\"}}", StringComparison.Ordinal) + "\n\n" : "")
            + "data: [DONE]\n\n", Encoding.UTF8.GetString(sent.WrittenSpan));
    }

    internal static CompletionRequest Accepted(string body)
    {
        Assert.True(Wires.Completions.TryRead(Encoding.UTF8.GetBytes(body), default, out var request, out var problem), problem?.Message);
        return (CompletionRequest)request!;
    }
}
