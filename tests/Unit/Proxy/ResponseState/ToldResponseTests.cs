using System.Buffers;
using System.Text;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.UnitTests;
using Xunit;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

public sealed class ToldResponseTests
{
    static readonly ToldResponse Told = new("resp_ours", "resp_before");

    [Theory]
    [InlineData("""{"id":"resp_theirs","store" : false,"previous_response_id":null,"x":{"id":1}}""",
        """{"id":"resp_ours","store" : true,"previous_response_id":"resp_before","x":{"id":1}}""")]
    [InlineData("""{"x":1.50}""", """{"x":1.50,"id":"resp_ours","previous_response_id":"resp_before","store":true}""")]
    [InlineData("""{"id":7}""", """{"id":"resp_ours","previous_response_id":"resp_before","store":true}""")]
    [InlineData("{}", "{}")]
    [InlineData("[1]", "[1]")]
    public void A_response_is_told_under_our_id(string said, string told) =>
        Assert.Equal(told, Encoding.UTF8.GetString(Told.Rewrite(Encoding.UTF8.GetBytes(said), stored: true)));

    [Fact]
    public void A_response_that_continues_none_and_is_not_kept_says_so() => Assert.Equal(
        """{"id":"resp_ours","previous_response_id":null,"store":false}""",
        Encoding.UTF8.GetString(new ToldResponse("resp_ours", null).Rewrite("""{"id":"a","previous_response_id":"b"}"""u8, stored: false)));

    [Fact]
    public void Only_the_events_that_have_a_response_differ()
    {
        const string Delta =
            "event: response.output_text.delta\ndata: {\"type\":\"x\",\"item_id\":\"m\",\"delta\":\"\\\"response\\\":{\"}\n\n";
        const string Rest = ": comment\n\ndata: [DONE]\n\n";
        const string Created =
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"ID\"MORE},\"n\":0}\n\n";
        var to = new ArrayBufferWriter<byte>();

        Told.RewriteEvents(
            Encoding.UTF8.GetBytes(Created.Replace("ID", "resp_1").Replace("MORE", "") + Delta + Rest), stored: false, to);

        Assert.Equal(
            Created.Replace("ID", "resp_ours").Replace("MORE", ",\"previous_response_id\":\"resp_before\",\"store\":false") + Delta + Rest,
            Encoding.UTF8.GetString(to.WrittenSpan));
    }

    [Theory]
    [InlineData("response.failed", false), InlineData("response.completed", true), InlineData("response.in_progress", true)]
    public void A_response_that_failed_is_not_told_as_kept(string type, bool stored)
    {
        var to = new ArrayBufferWriter<byte>();
        Told.RewriteEvents(
            Encoding.UTF8.GetBytes($"data: {{\"type\":\"{type}\",\"response\":{{\"id\":\"a\"}}}}\n\n"), stored: true, to);
        Assert.Contains($"\"store\":{(stored ? "true" : "false")}", Encoding.UTF8.GetString(to.WrittenSpan), StringComparison.Ordinal);
    }

    [Fact]
    public void No_bytes_make_it_throw_or_lose_an_event() => Seeds.ForEach(2000, random =>
    {
        var events = Encoding.UTF8.GetBytes(
            "event: response.created\ndata: {\"type\":\"a\",\"response\":{\"id\":\"b\"}}\n\ndata: {\"x\":1}\n\n");
        for (var i = random.Next(4); i > 0; i--)
            events[random.Next(events.Length)] = (byte)random.Next(256);
        var to = new ArrayBufferWriter<byte>();

        Told.RewriteEvents(events, stored: true, to);
        ToldResponse.LastOf(events);

        Assert.True(to.WrittenCount >= events.Length - events.Count(b => b == '\r') - 2);
    });
}
