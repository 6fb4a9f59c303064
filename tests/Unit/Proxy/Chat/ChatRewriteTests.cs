using System.Text;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ChatRewriteTests
{
    [Theory]
    // The model, when the provider calls it something else.
    [InlineData("""{"model":"gpt-4o","max_tokens":9,"messages":[{}]}""", """{"model":"up-1","max_tokens":9,"messages":[{}]}""")]
    [InlineData("""{"model" : "openai/up-1" , "max_tokens":9,"messages":[{}]}""",
        """{"model" : "up-1" , "max_tokens":9,"messages":[{}]}""")]
    [InlineData("""{"model":"up-1","max_tokens":9,"messages":[{}]}""", """{"model":"up-1","max_tokens":9,"messages":[{}]}""")]
    [InlineData("""{"model":"\u0075p-1","max_tokens":9,"messages":[{}]}""", """{"model":"\u0075p-1","max_tokens":9,"messages":[{}]}""")]
    // The limit, which is always set.
    [InlineData("""{"model":"up-1","max_tokens":1000 ,"messages":[{}]}""", """{"model":"up-1","max_tokens":9 ,"messages":[{}]}""")]
    [InlineData("""{"model":"up-1","max_completion_tokens":1000,"messages":[{}]}""",
        """{"model":"up-1","max_completion_tokens":9,"messages":[{}]}""")]
    [InlineData("""{"max_completion_tokens":5,"model":"up-1","max_tokens":50,"messages":[{}]}""",
        """{"max_completion_tokens":9,"model":"up-1","max_tokens":9,"messages":[{}]}""")]
    [InlineData("""{"model":"up-1","messages":[{}]}""", """{"model":"up-1","messages":[{}],"max_completion_tokens":9}""")]
    [InlineData("""{"model":"up-1","messages":[{}] } """, """{"model":"up-1","messages":[{}] ,"max_completion_tokens":9} """)]
    [InlineData("""{"max_tokens":null,"model":"up-1","messages":[{}]}""",
        """{"max_tokens":null,"model":"up-1","messages":[{}],"max_completion_tokens":9}""")]
    [InlineData("""{"max_completion_tokens":null,"model":"up-1","messages":[{}]}""",
        """{"max_completion_tokens":9,"model":"up-1","messages":[{}]}""")]
    [InlineData("""{"max_completion_tokens":null,"max_tokens":8,"model":"up-1","messages":[{}]}""",
        """{"max_completion_tokens":null,"max_tokens":9,"model":"up-1","messages":[{}]}""")]
    // Usage, for streams.
    [InlineData("""{"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""",
        """{"stream":true,"max_tokens":9,"model":"up-1","messages":[{}],"stream_options":{"include_usage":true}}""")]
    [InlineData("""{"stream":true,"model":"up-1","messages":[{}]}""",
        """{"stream":true,"model":"up-1","messages":[{}],"max_completion_tokens":9,"stream_options":{"include_usage":true}}""")]
    [InlineData("""{"stream_options":null,"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""",
        """{"stream_options":{"include_usage":true},"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""")]
    [InlineData("""{"stream_options":{},"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""",
        """{"stream_options":{"include_usage":true},"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""")]
    [InlineData("""{"stream_options":{ "x":1},"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""",
        """{"stream_options":{"include_usage":true, "x":1},"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""")]
    [InlineData("""{"stream_options":{"include_usage":false},"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""",
        """{"stream_options":{"include_usage":true},"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""")]
    [InlineData("""{"stream_options":{"include_usage":true},"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""",
        """{"stream_options":{"include_usage":true},"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""")]
    [InlineData("""{"stream":false,"max_tokens":9,"model":"up-1","messages":[{}]}""",
        """{"stream":false,"max_tokens":9,"model":"up-1","messages":[{}]}""")]
    // Unknown members keep every digit.
    [InlineData(
        """{"model":"x","messages":[{"content":"😀 \ud83d\ude00"}],"seed":12345678901234567890,"temperature":1.0,"top_p":1E0,"""
            + """ "new":{"a":[1, 2]},"max_tokens":9}""",
        """{"model":"up-1","messages":[{"content":"😀 \ud83d\ude00"}],"seed":12345678901234567890,"temperature":1.0,"top_p":1E0,"""
            + """ "new":{"a":[1, 2]},"max_tokens":9}""")]
    public void Only_what_must_change_is_changed(string body, string expected)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var request = ChatRequestTests.Accepted(body);

        var rewritten = request.Rewrite(bytes, "up-1", 9, injectUsage: true);

        Assert.Equal(expected, Encoding.UTF8.GetString(rewritten.Span));
        Assert.Equal(body == expected, rewritten.Equals(bytes.AsMemory()));
    }

    [Fact]
    public void Usage_is_not_asked_for_where_the_provider_refuses_the_option()
    {
        const string Body = """{"stream":true,"max_tokens":9,"model":"up-1","messages":[{}]}""";
        Assert.Equal(
            Body,
            Encoding.UTF8.GetString(
                ChatRequestTests.Accepted(Body).Rewrite(Encoding.UTF8.GetBytes(Body), "up-1", 9, injectUsage: false).Span));
    }

    [Fact]
    public void A_provider_name_that_needs_escapes_stays_valid_json()
    {
        const string Body = """{"model":"m","max_tokens":9,"messages":[{}]}""";
        var rewritten = ChatRequestTests.Accepted(Body).Rewrite(Encoding.UTF8.GetBytes(Body), "a\"b\\c+ü", 9, injectUsage: true);
        Assert.Equal("a\"b\\c+ü", ChatRequestTests.Accepted(Encoding.UTF8.GetString(rewritten.Span)).Model);
    }

    [Fact]
    public void What_the_provider_gets_says_what_was_reserved() => Seeds.ForEach(2000, random =>
    {
        var body = RandomBody(random);
        var request = ChatRequestTests.Accepted(body);
        var limit = random.Next(1, int.MaxValue);

        var sent = ChatRequestTests.Accepted(
            Encoding.UTF8.GetString(request.Rewrite(Encoding.UTF8.GetBytes(body), "up", limit, injectUsage: true).Span));

        Assert.Equal(
            ("up", limit, request.Stream, request.Choices, request.Messages),
            (sent.Model, sent.MaxTokens, sent.Stream, sent.Choices, sent.Messages));
        Assert.Equal(request.Stream || request.WantsUsage, sent.WantsUsage);
    });

    static string RandomBody(Random random)
    {
        var members = new List<string>
        {
            "\"model\":\"m\"",
            "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]",
            "\"x\":{\"max_tokens\":7}",
        };
        string[][] choices =
        [
            ["\"stream\":true", "\"stream\": false", "\"stream\":null"], [
                "\"max_tokens\":17",
                "\"max_tokens\":null",
            ], ["\"max_completion_tokens\": 99", "\"max_completion_tokens\":null"],
            [
                "\"stream_options\":{}",
                "\"stream_options\":null",
                "\"stream_options\":{\"include_usage\":false}",
                "\"stream_options\":{\"a\":1}",
                "\"stream_options\":{\"include_usage\":true}",
            ], ["\"n\":3"],
        ];
        foreach (var choice in choices)
            if (random.Next(2) == 0)
                members.Add(choice[random.Next(choice.Length)]);
        var order = members.ToArray();
        random.Shuffle(order);
        return "{" + string.Join(random.Next(2) == 0 ? "," : " ,\n ", order) + "}";
    }
}
