using LlmGateway.Proxy;
using System.Text;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class UpstreamErrorsTests
{
    [Fact]
    public void Google_says_with_400_that_it_does_not_know_our_key()
    {
        var problem = UpstreamErrors.Map(
            400,
            """{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":"""u8
                + """[{"reason":"API_KEY_INVALID"}]}}"""u8,
            null);
        Assert.Equal((502, "upstream_auth"), (problem.Status, problem.Code));
    }

    [Theory]
    [InlineData(401, 502, "upstream_auth", null)]
    [InlineData(403, 502, "upstream_auth", null)]
    [InlineData(402, 502, "upstream_quota", null)]
    [InlineData(408, 504, "upstream_timeout", null)]
    [InlineData(504, 504, "upstream_timeout", null)]
    [InlineData(429, 429, "upstream_rate_limited", 17)]
    [InlineData(503, 503, "upstream_error", 17)]
    [InlineData(529, 503, "upstream_error", 17)]
    [InlineData(500, 502, "upstream_error", null)]
    [InlineData(502, 502, "upstream_error", null)]
    [InlineData(302, 502, "upstream_error", null)]
    [InlineData(418, 502, "upstream_error", null)]
    public void A_failure_of_ours_or_the_providers_shows_nothing_of_the_providers_answer(
        int status,
        int expected,
        string code,
        int? retryAfter)
    {
        var problem = UpstreamErrors.Map(status, """{"error":{"message":"Incorrect API key provided: sk-abc***xyz"}}"""u8, 17);
        Assert.Equal(
            (expected, "upstream_error", code, retryAfter),
            (problem.Status, problem.Type, problem.Code, problem.RetryAfterSeconds));
        Assert.DoesNotContain("sk-", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(413)]
    [InlineData(422)]
    public void A_mistake_of_the_caller_is_told_in_the_providers_words(int status)
    {
        var problem = UpstreamErrors.Map(
            status,
            """{"error":{"message":"Unknown parameter: """u8
                + """'foo'.","type":"invalid_request_error","param":"foo","code":"unknown_parameter"}}"""u8,
            null);
        Assert.Equal(
            (status, "invalid_request_error", "unknown_parameter", "Unknown parameter: 'foo'.", "foo"),
            (problem.Status, problem.Type, problem.Code, problem.Message, problem.Param));
    }

    [Fact]
    public void Anthropics_errors_are_read_and_its_want_of_credit_is_no_mistake_of_the_caller()
    {
        var problem = UpstreamErrors.Map(
            400,
            """{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 9 > 8"},"request_id":"req_x"}"""u8,
            null);
        Assert.Equal((400, "upstream_invalid_request", "max_tokens: 9 > 8"), (problem.Status, problem.Code, problem.Message));
        var poor = UpstreamErrors.Map(
            400,
            """{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the """u8
                + """Anthropic API."}}"""u8,
            null);
        Assert.Equal((502, "upstream_quota"), (poor.Status, poor.Code));
    }

    [Theory]
    [InlineData("""{"error":"no such model"}""", "no such model")]
    [InlineData("""{"message":"no such model"}""", "no such model")]
    [InlineData("""{"error":{"message":null,"code":7}}""", "The provider refused the request (400).")]
    [InlineData("<html>", "The provider refused the request (400).")]
    [InlineData("[1]", "The provider refused the request (400).")]
    [InlineData("", "The provider refused the request (400).")]
    [InlineData("{\"error\":\"\\ud83d\"}", "The provider refused the request (400).")]
    // Google's OpenAI face, FastAPI and vLLM, Hugging Face, Bedrock, OpenRouter, plain servers.
    [InlineData("""[{"error":{"code":400,"message":"no signature","status":"INVALID_ARGUMENT"}}]""", "no signature")]
    [InlineData("""{"detail":"no such model"}""", "no such model")]
    [InlineData(
        """{"detail":[{"loc":["body","messages",0,"content"],"msg":"field required"},{"loc":["body","n"],"msg":"too large"}]}""",
        "body.messages.0.content: field required; body.n: too large")]
    [InlineData("""{"error":["no such model","nor that"]}""", "no such model; nor that")]
    [InlineData("""{"errors":[{"message":"no such model"}]}""", "no such model")]
    [InlineData("""{"Message":"no such model"}""", "no such model")]
    [InlineData("""{"detail":{"error":{"message":"no such model"}}}""", "no such model")]
    [InlineData(
        """{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"detail\":\"too long\"}"}}}""",
        "Provider returned error too long")]
    [InlineData("no such model", "no such model")]
    public void Other_shapes_of_errors_are_read_as_far_as_they_go(string body, string message) =>
        Assert.Equal(
            (message, "upstream_invalid_request"),
            (UpstreamErrors.Map(400, Encoding.UTF8.GetBytes(body), null) is var p ? p.Message : "", p.Code));

    [Fact]
    public void A_providers_message_is_cut_and_its_wait_is_bounded()
    {
        var body = Encoding.UTF8.GetBytes($$$"""{"error":{"message":"{{{new string('x', 5000)}}}"}}""");
        Assert.Equal(UpstreamErrors.MaxMessage, UpstreamErrors.Map(400, body, null).Message.Length);
        Assert.Equal(
            (1, 3600, 0),
            (
                UpstreamErrors.Map(429, default, null).RetryAfterSeconds,
                UpstreamErrors.Map(429, default, 999_999).RetryAfterSeconds,
                UpstreamErrors.Map(429, default, -5).RetryAfterSeconds));
    }

    [Fact]
    public void A_provider_that_does_not_know_stream_options_is_recognised()
    {
        Assert.True(UpstreamErrors.RefusesUsage(400, """{"error":{"message":"Unrecognized request argument: stream_options"}}"""u8));
        Assert.False(UpstreamErrors.RefusesUsage(400, """{"error":{"message":"bad"}}"""u8));
        Assert.False(UpstreamErrors.RefusesUsage(500, "stream_options"u8));
    }

    [Theory]
    [InlineData(true, """{"error":{"message":"Encrypted content is not supported with this model.","param":"include"}}""")]
    [InlineData(true, """{"error":"Argument not supported: include"}""")]
    [InlineData(true, """{"error":{"message":"Unknown value","param":"include[0]"}}""")]
    [InlineData(true, """{"detail":[{"loc":["body","include",0],"msg":"Input should be 'x'"}]}""")]
    [InlineData(false, """{"error":{"code":"invalid_encrypted_content","param":"input[1].encrypted_content"}}""")]
    [InlineData(false, """{"error":{"message":"Your input includes what it may not: include_usage"}}""")]
    [InlineData(false, """{"error":{"message":"bad"}}""")]
    public void A_provider_that_refuses_include_is_recognised(bool refuses, string body)
    {
        Assert.Equal(refuses, UpstreamErrors.RefusesInclude(400, Encoding.UTF8.GetBytes(body)));
        Assert.False(UpstreamErrors.RefusesInclude(500, Encoding.UTF8.GetBytes(body)));
    }
}
