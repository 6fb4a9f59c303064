using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Batches;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What a batch cost is the sum of its answered lines, at the prices of its creation.</summary>
public sealed class BatchTallyTests
{
    const string Message =
        """{"id":"m","type":"message","role":"assistant","model":"x","content":"""
            + """[{"type":"text","text":"a b c"}],"stop_reason":"end_turn","usage":"""
            + """{"input_tokens":10,"cache_read_input_tokens":4,"output_tokens":3}}""";
    const string Completion =
        """{"id":"c","object":"chat.completion","choices":"""
            + """[{"index":0,"message":{"role":"assistant","content":"a b c"},"finish_reason":"stop"}],"usage":"""
            + """{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13}}""";

    [Fact]
    public void Answers_of_messages_are_paid_and_nothing_else()
    {
        var tally = Tally("/v1/messages",
            $$$"""{"custom_id":"a","result":{"type":"succeeded","message":{{{Message}}}}}""",
            $$"""{"result":{"message":{{Message}},"type":"succeeded"},"custom_id":"b"}""",
            """{"custom_id":"c","result":{"type":"errored","error":{"type":"error","error":{"type":"api_error","message":"m"}}}}""",
            """{"custom_id":"d","result":{"type":"canceled"}}""",
            """{"custom_id":"e","result":{"type":"expired"}}""");

        Assert.Equal((5, 2, 2 * (14 * 500 + 3 * 1_000)), (tally.Lines, tally.Answered, tally.Cost));
        Assert.Equal((20, 8, 6), (tally.Usage[Meter.Input], tally.Usage[Meter.CachedInput], tally.Usage[Meter.Output]));
    }

    [Fact]
    public void Answers_of_chat_responses_and_embeddings_are_paid_and_nothing_else()
    {
        var chat = Tally(
            "/v1/chat/completions",
            Line(200, Completion),
            Line(500, Completion),
            """{"custom_id":"x","response":null,"error":{"code":"batch_expired"}}""");
        var embeddings = Tally(
            "/v1/embeddings",
            Line(200, """{"object":"list","data":[],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}"""));
        var responses = Tally("/v1/responses", Line(200, """
            {"id":"r","object":"response","status":"completed",
                "output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}],
                "usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}
            """.Unwrapped()));

        Assert.Equal((3, 1, 10 * 500 + 3 * 1_000), (chat.Lines, chat.Answered, chat.Cost));
        Assert.Equal((1, 7 * 500), (embeddings.Answered, embeddings.Cost));
        Assert.Equal((1, 5 * 500 + 2 * 1_000), (responses.Answered, responses.Cost));
    }

    /// <summary>Our count of the answer, and of questions what they have on average: 100 tokens in ten lines.</summary>
    [Theory]
    [InlineData("\"usage\"", "\"user\"")]
    [InlineData("\"prompt_tokens\":10", "\"prompt_tokens\":-10")]
    [InlineData("\"completion_tokens\":3", "\"completion_tokens\":3e30")]
    public void An_answer_without_usage_that_can_be_believed_is_counted(string of, string with) =>
        Assert.Equal(10 * 500 + 3 * 1_000, Tally("/v1/chat/completions", Line(200, Completion.Replace(of, with))).Cost);

    [Fact]
    public void A_line_that_is_no_json_is_not_passed_over() =>
        Assert.ThrowsAny<JsonException>(() => Tally("/v1/messages", """{"custom_id":"a","result":{"ty"""));

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task Lines_are_read_whatever_the_pieces(int piece)
    {
        string[] lines = ["{\"a\":1}", new string('x', 200_000), "", "  ", "last"];
        var bytes = Encoding.UTF8.GetBytes(string.Join("\r\n", lines));
        var read = new List<string>();

        await ResultLines.ReadAsync(
            new Pieces(bytes, piece),
            line => read.Add(Encoding.UTF8.GetString(line)),
            TestContext.Current.CancellationToken);

        Assert.Equal([lines[0], lines[1], lines[4]], read);
    }

    static string Line(int status, string body) =>
        $$"""{"id":"b","custom_id":"a","response":{"status_code":{{status}},"request_id":"r","body":{{body}}},"error":null}""";

    static BatchTally Tally(string endpoint, params string[] lines)
    {
        var tally = new BatchTally(new(endpoint, "m", null, BatchCases.Prices.Batch!, new(1_000_000), Lines: 10, EstimatedInput: 100));
        foreach (var line in lines)
            tally.Add(BatchCases.Utf8(line));
        return tally;
    }

    /// <summary>Gives at most so many bytes at once.</summary>
    sealed class Pieces(byte[] bytes, int most) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(most, buffer.Length)], cancellationToken);
    }
}
