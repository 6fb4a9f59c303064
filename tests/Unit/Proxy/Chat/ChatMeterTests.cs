using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using LlmGateway.Proxy.Translation;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ChatMeterTests
{
    static readonly byte[] TwoWords = """{"messages":[{"content":"hi you"}]}"""u8.ToArray();

    [Fact]
    public void The_providers_counts_settle_a_whole_answer()
    {
        var meter = Seen(
            """
            {"choices":[{"index":0,"message":{"content":"one two"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":30,"completion_tokens":20}}
            """.ReplaceLineEndings(""));
        var reading = meter.Settle(TwoWords);
        Assert.Equal(
            (false, null, 30, 20, 1),
            (reading.Estimated, reading.Reason, reading.Usage[Meter.Input], reading.Usage[Meter.Output], reading.Usage[Meter.Request]));
        Assert.Equal("""{"prompt_tokens":30,"completion_tokens":20}""", reading.RawUsage);
    }

    [Theory]
    [InlineData("", ProviderUsage.Missing)]
    [InlineData(""","usage":null""", ProviderUsage.Missing)]
    [InlineData(""","usage":{"prompt_tokens":-2,"completion_tokens":-2}""", ProviderUsage.Negative)]
    [InlineData(""","usage":{"prompt_tokens":0,"completion_tokens":0}""", ProviderUsage.Zero)]
    [InlineData(""","usage":{"prompt_tokens":5,"completion_tokens":0}""", ProviderUsage.Zero)]
    [InlineData(""","usage":{"prompt_tokens":5000000000000,"completion_tokens":1}""", ProviderUsage.Absurd)]
    [InlineData(""","usage":"lots" """, ProviderUsage.Malformed)]
    public void Counts_that_are_missing_or_impossible_are_replaced_by_ours(string usage, string reason)
    {
        var meter = Seen($$$"""{"choices":[{"index":0,"message":{"content":"one two three"},"finish_reason":"stop"}]{{{usage}}}}""");
        var reading = meter.Settle(TwoWords);
        Assert.Equal(
            (true, reason, 2, 3, 1),
            (reading.Estimated, reading.Reason, reading.Usage[Meter.Input], reading.Usage[Meter.Output], reading.Usage[Meter.Request]));
    }

    public static TheoryData<string> Meters => ["chat", .. ConversationMeters.Keys];

    static readonly Dictionary<string, Func<AnswerMeter>> ConversationMeters = ((ConversationWire[])
        [Wires.Chat, Wires.Responses, Wires.Messages, Wires.Gemini]).ToDictionary(
            wire => wire.Name, wire => (Func<AnswerMeter>)(() => new EventMeter(wire.NewReader())));

    /// <summary>A stream asks at each checkpoint. A body of a megabyte, counted each time, would hold up other connections.</summary>
    [Theory, MemberData(nameof(Meters))]
    public void A_request_is_counted_once_however_often_the_meter_is_asked(string meter)
    {
        var asked = meter == "chat" ? new ChatMeter() : ConversationMeters[meter]();
        var body = Encoding.UTF8.GetBytes($$"""{"messages":[{"content":"{{string.Join(' ', Enumerable.Repeat("word", 200_000))}}"}]}""");
        Assert.Equal(200_000, asked.Estimate(body, "").Usage[Meter.Input]);

        // A second reading would find nothing.
        body.AsSpan().Fill((byte)' ');
        for (var checkpoint = 0; checkpoint < 128; checkpoint++)
            Assert.Equal(200_000, asked.Estimate(body, "").Usage[Meter.Input]);
    }

    [Fact]
    public void No_output_is_believed_where_no_content_was_seen()
    {
        var meter = Seen(
            """{"choices":[{"message":{"content":null,"role":"assistant"}}],"usage":{"prompt_tokens":5,"completion_tokens":0}}""");
        var reading = meter.Settle(TwoWords);
        Assert.Equal((false, 5, 0), (reading.Estimated, reading.Usage[Meter.Input], reading.Usage[Meter.Output]));
    }

    [Fact]
    public void Words_are_counted_per_answer_and_kind()
    {
        var meter = new ChatMeter();
        foreach (var delta in (string[])
        [
            """{"index":0,"delta":{"role":"assistant","content":"ab"}},{"index":1,"delta":{"content":"xy"}}""",
            """{"index":0,"delta":{"content":"cd ef"}},{"index":1,"delta":{"reasoning_content":"z"}}""",
            """
            {"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"look","arguments":""}}]}}
            """.ReplaceLineEndings(""),
            """{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"a b"}}]},"finish_reason":"tool_calls"}""",
            """{"index":1,"delta":{"refusal":"no"},"finish_reason":"stop"}""",
        ])
            meter.See(Encoding.UTF8.GetBytes($$$"""{"choices":[{{{delta}}}]}"""));

        // Answer 0: "abcd ef", look, "a b"; answer 1: "xy", "z", "no".
        Assert.Equal(2 + 1 + 2 + 3, meter.DeliveredTokens);
        Assert.Equal((2, "stop", true), (meter.FinishedChoices, meter.FinishReason, meter.ContentSeen));
    }

    [Theory]
    [InlineData("""{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}""")]
    [InlineData("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""")]
    [InlineData("""{"choices":[],"usage":{"prompt_tokens":1}}""")]
    [InlineData("""{"error":{"message":"overloaded","content":"x"}}""")]
    public void A_chunk_without_words_is_no_content(string chunk) => Assert.False(Seen(chunk).ContentSeen);

    [Fact]
    public void A_choice_has_its_words_in_its_text_on_the_wire_before_chat_alone()
    {
        // Some chat servers say them in both places.
        var both = """{"choices":[{"index":0,"text":"one two","delta":{"content":"one two"}}]}"""u8;
        var chat = new ChatMeter();
        chat.See(both);
        Assert.Equal(2, chat.DeliveredTokens);

        var completion = new ChatMeter(completion: CompletionRequestTests.Accepted("""{"model":"m","prompt":"x","n":2}"""));
        completion.See("""{"choices":[{"text":"one tw","index":0,"logprobs":{"tokens":["one"," tw"]}},{"text":"three","index":1}]}"""u8);
        completion.See("""{"choices":[{"text":"o four","index":0,"finish_reason":"stop"}]}"""u8);
        Assert.Equal((4, true, 1), (completion.DeliveredTokens, completion.ContentSeen, completion.FinishedChoices));
    }

    [Fact]
    public void A_prompt_that_is_said_once_more_is_no_output()
    {
        const string Body = """{"model":"m","prompt":["one two three","four"],"n":2,"echo":true}""";
        var meter = new ChatMeter(completion: CompletionRequestTests.Accepted(Body));
        meter.See(
            """{"choices":[{"index":0,"text":"one two three a b"},{"index":1,"text":"one two three"},{"index":2,"text":"four c"},"""u8
                + """{"index":3,"text":"four"}]}"""u8);
        Assert.Equal((4, 3), (meter.Settle(Encoding.UTF8.GetBytes(Body)).Usage[Meter.Input], meter.DeliveredTokens));

        meter.See("""{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":0}}"""u8);
        Assert.True(meter.UsageIsBelieved);
    }

    [Fact]
    public void An_error_in_the_stream_is_noticed()
    {
        Assert.True(Seen("""{"error":{"message":"overloaded"}}""").ErrorSeen);
        Assert.False(Seen("""{"error":null,"choices":[]}""").ErrorSeen);
    }

    [Fact]
    public void No_bytes_make_the_meter_throw() => Seeds.ForEach(20_000, random =>
    {
        var json = Encoding.UTF8.GetBytes(
            """
            {"id":"\u00e9","choices":[{"index":1,"delta":{"content":[{"type":"text","text":"a\n"}],"reasoning_details":[{}]},
            "finish_reason":"odd"}],"usage":{"prompt_tokens":3}}
            """.ReplaceLineEndings(""));
        for (var i = random.Next(1, 5); i > 0; i--)
            json[random.Next(json.Length)] = random.Next(2) == 0 ? (byte)random.Next(256) : json[random.Next(json.Length)];
        var meter = new ChatMeter();
        meter.See(json.AsSpan(0, random.Next(3) == 0 ? random.Next(json.Length) : json.Length));
        Assert.InRange(meter.DeliveredTokens, 0, json.Length);
        Assert.NotNull(meter.Settle(TwoWords));
    });

    static ChatMeter Seen(string json)
    {
        var meter = new ChatMeter();
        meter.See(Encoding.UTF8.GetBytes(json));
        return meter;
    }
}
