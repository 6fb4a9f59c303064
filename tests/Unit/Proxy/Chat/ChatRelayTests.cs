using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ChatRelayTests
{
    const string Usage = """{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}""";

    [Fact]
    public void A_caller_who_did_not_ask_gets_the_stream_that_the_provider_sends_without_usage() => Seeds.ForEach(500, random =>
    {
        var (plain, injected, _) = RandomStream(random);
        Assert.Equal(plain, StreamRelay(injected, random, wantsUsage: false).Sent);
    });

    [Fact]
    public void A_caller_who_asked_gets_the_same_stream_with_the_cost_in_its_usage() => Seeds.ForEach(500, random =>
    {
        var (_, injected, _) = RandomStream(random);
        Assert.Equal(
            injected.Replace("\"total_tokens\":13}", "\"total_tokens\":13,\"cost\":\"0.00000123\"}", StringComparison.Ordinal),
            StreamRelay(injected, random, wantsUsage: true).Sent);
    });

    [Fact]
    public void Crlf_becomes_lf() => Seeds.ForEach(200, random =>
    {
        var (plain, injected, _) = RandomStream(random);
        Assert.Equal(plain, StreamRelay(injected.Replace("\n", "\r\n", StringComparison.Ordinal), random, wantsUsage: false).Sent);
    });

    [Fact]
    public void What_is_learned_does_not_depend_on_the_pieces() => Seeds.ForEach(500, random =>
    {
        var (_, injected, words) = RandomStream(random);
        var whole = new TokenEstimate();
        whole.AddJson(Encoding.UTF8.GetBytes(words));
        var meter = StreamRelay(injected, random, wantsUsage: random.Next(2) == 0).Meter;

        Assert.Equal(
            (words.Length > 0, whole.Tokens, "stop", 1, false),
            (meter.ContentSeen, meter.DeliveredTokens, meter.FinishReason, meter.FinishedChoices, meter.ErrorSeen));
        Assert.Equal(4, meter.Settle("{}"u8).Usage[Meter.Output]);
    });

    [Fact]
    public void The_end_is_withheld_until_the_request_is_settled()
    {
        using var relay = new ChatRelay(Request(wantsUsage: true), new ChatMeter());
        var sent = new ArrayBufferWriter<byte>();
        relay.Push(Encoding.UTF8.GetBytes(Chunk("hi", ",\"usage\":null") + UsageChunk(Usage) + "data: [DONE]\n\n"), sent);

        Assert.Equal(Chunk("hi", ",\"usage\":null"), Text(sent));
        Assert.True(relay.IsDone);
    }

    [Theory]
    [InlineData("{\"usage\":null,\"id\":\"c\",\"choices\":[{}]}", "{\"id\":\"c\",\"choices\":[{}]}")]
    [InlineData("{\"id\":\"c\", \"usage\" : null ,\"choices\":[{}]}", "{\"id\":\"c\" ,\"choices\":[{}]}")]
    [InlineData("{\"id\":\"c\",\"choices\":[{}],\"usage\":{\"prompt_tokens\":1}}", "{\"id\":\"c\",\"choices\":[{}]}")]
    [InlineData("{\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":null\",\"usage\":null}}]}",
        "{\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":null\",\"usage\":null}}]}")]
    [InlineData("{\"id\":\"c\",\"choices\":[],\"prompt_filter_results\":[]}", "{\"id\":\"c\",\"choices\":[],\"prompt_filter_results\":[]}")]
    [InlineData("no json \"usage\":null", "no json \"usage\":null")]
    public void Only_usage_that_the_gateway_asked_for_is_cut_out(string data, string expected)
    {
        var sent = StreamRelay($"data: {data}\n\ndata: [DONE]\n\n", new Random(1), wantsUsage: false).Sent;
        Assert.Equal($"data: {expected}\n\ndata: [DONE]\n\n", sent);
    }

    [Fact]
    public void Comments_names_and_data_of_several_lines_survive()
    {
        const string Stream = ": keep-alive\n\nevent: message\nid: 1\n"
            + "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\ndata: \"usage\":null,\"x\":1}\n\ndata: [DONE]\n\n";
        var unnamed = Stream.Replace("event: message\nid: 1\n", "", StringComparison.Ordinal);
        var relayed = StreamRelay(unnamed, new Random(1), wantsUsage: false);
        Assert.Equal(": keep-alive\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"x\":1}\n\ndata: [DONE]\n\n", relayed.Sent);
        Assert.Equal(Stream, StreamRelay(Stream, new Random(1), wantsUsage: true, expectUsage: false).Sent);
    }

    [Fact]
    public void Of_two_usage_events_the_last_counts_and_is_shown()
    {
        var stream = Chunk("hi", "") + UsageChunk("""{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}""") + UsageChunk(Usage)
            + "data: [DONE]\n\n";
        var relayed = StreamRelay(stream, new Random(1), wantsUsage: true);
        var withCost = Usage.Replace("13}", "13,\"cost\":\"0.00000123\"}", StringComparison.Ordinal);
        Assert.Equal(Chunk("hi", "") + UsageChunk(withCost) + "data: [DONE]\n\n", relayed.Sent);
        Assert.Equal(4, relayed.Meter.Settle("{}"u8).Usage[Meter.Output]);
    }

    [Fact]
    public void Running_usage_beside_content_passes_and_only_the_last_one_has_the_cost()
    {
        var runningCalls = Chunk("a", ",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}");
        var last = Chunk("b", ",\"usage\":{}");
        var relayed = StreamRelay(runningCalls + runningCalls + last + "data: [DONE]\n\n", new Random(1), wantsUsage: true);
        Assert.Equal(runningCalls + runningCalls + Chunk("b", ",\"usage\":{\"cost\":\"0.00000123\"}") + "data: [DONE]\n\n", relayed.Sent);
        Assert.Equal(
            Chunk("a", "") + Chunk("a", "") + Chunk("b", "") + "data: [DONE]\n\n",
            StreamRelay(runningCalls + runningCalls + last + "data: [DONE]\n\n", new Random(1), wantsUsage: false).Sent);
    }

    [Fact]
    public void A_caller_who_asked_gets_the_settled_counts_where_the_provider_owed_them()
    {
        var relayed = StreamRelay(Chunk("one two", "") + Finish("") + "data: [DONE]\n\n", new Random(1), wantsUsage: true);
        Assert.Equal(
            Chunk("one two", "") + Finish("")
                + """data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":"""
                + """{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4,"cost":"0.00000123"}}"""
                + "\n\ndata: [DONE]\n\n",
            relayed.Sent);
        var reading = relayed.Meter.Settle(RequestBody(true));
        Assert.Equal((true, ProviderUsage.Missing), (reading.Estimated, reading.Reason));
    }

    [Fact]
    public void Counts_that_are_not_believed_are_not_shown_either()
    {
        var relayed = StreamRelay(
            Chunk("one two", "") + Finish("") + UsageChunk("""{"prompt_tokens":-9,"completion_tokens":-9}""") + "data: [DONE]\n\n",
            new Random(1), wantsUsage: true);
        Assert.Contains(
            """{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4,"cost":"0.00000123"}""", relayed.Sent, StringComparison.Ordinal);
        Assert.DoesNotContain("-9", relayed.Sent, StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_event_of_the_provider_is_passed_and_is_the_only_one()
    {
        using var relay = new ChatRelay(Request(wantsUsage: false), new ChatMeter());
        var sent = new ArrayBufferWriter<byte>();
        var stream = Chunk("hi", "") + "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
        relay.Push(Encoding.UTF8.GetBytes(stream + "data: [DONE]\n\n"), sent);
        relay.End(sent);

        Assert.False(relay.IsWhole);
        relay.WriteFailure(sent, Problems.Upstream(502, "upstream_error", "broke off"), "req_1");
        Assert.Equal(stream + "data: [DONE]\n\n", Text(sent));
    }

    [Theory]
    [InlineData("data: [DONE]", true)]
    [InlineData("data:[DONE]\n", true)]
    [InlineData("", true)]
    [InlineData("data: {\"choices\":[{\"index\":0,\"del", true)]
    public void A_stream_that_ends_after_its_finish_reason_is_whole(string end, bool whole)
    {
        var relayed = StreamRelay(Chunk("hi", "") + Finish("") + end, new Random(1), wantsUsage: false);
        Assert.Equal((whole, Chunk("hi", "") + Finish("") + "data: [DONE]\n\n"), (relayed.Whole, relayed.Sent));
    }

    [Fact]
    public void A_stream_cut_anywhere_ends_with_an_error_that_clients_can_parse()
    {
        var whole =
            Encoding.UTF8.GetBytes(Chunk("hello", ",\"usage\":null") + Chunk(" wörld 😀", ",\"usage\":null") + Finish(",\"usage\":null"));
        for (var length = 0; length < whole.Length - Finish(",\"usage\":null").Length; length++)
        {
            using var relay = new ChatRelay(Request(wantsUsage: length % 2 == 0), new ChatMeter());
            var sent = new ArrayBufferWriter<byte>();
            relay.Push(whole.AsSpan(0, length), sent);
            relay.End(sent);
            Assert.False(relay.IsWhole);
            relay.WriteFailure(sent, Problems.Upstream(502, "upstream_error", "broke \"off\""), "req_1");

            var events = Text(sent).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
            Assert.All(events[..^1], e => JsonDocument.Parse(e["data: ".Length..]).Dispose());
            using var error = JsonDocument.Parse(events[^2]["data: ".Length..]);
            Assert.Equal("broke \"off\"", error.RootElement.GetProperty("error").GetProperty("message").GetString());
            Assert.Equal("data: [DONE]", events[^1]);
        }
    }

    [Fact]
    public void A_last_event_without_its_blank_line_is_delivered_if_it_is_whole()
    {
        var relayed = StreamRelay(Chunk("hi", "") + Finish(",\"usage\":null").TrimEnd(), new Random(1), wantsUsage: false);
        Assert.Equal(Chunk("hi", "") + Finish("") + "data: [DONE]\n\n", relayed.Sent);
    }

    [Fact]
    public void An_event_beyond_the_bound_passes_unread_and_is_counted_as_text()
    {
        var big = Chunk(new string('x', 600), ",\"usage\":null");
        var relayed = StreamRelay(
            Chunk("hi", "") + big + Finish("") + "data: [DONE]\n\n", new Random(1), wantsUsage: false, maxEventBytes: 300);
        Assert.Equal(Chunk("hi", "") + big + Finish("") + "data: [DONE]\n\n", relayed.Sent);
        Assert.InRange(relayed.Meter.DeliveredTokens, 100, big.Length);
    }

    [Fact]
    public void Nothing_that_follows_the_end_mark_is_passed() =>
        Assert.Equal(
            Chunk("a", "") + "data: [DONE]\n\n",
            StreamRelay(Chunk("a", "") + "data: [DONE]\n\n" + Chunk("b", ""), new Random(3), wantsUsage: false).Sent);

    [Fact]
    public void No_mutation_of_a_stream_makes_the_relay_throw_or_depend_on_the_pieces() => Seeds.ForEach(5000, random =>
    {
        var bytes = Encoding.UTF8.GetBytes(RandomStream(random).Injected);
        for (var i = random.Next(1, 6); i > 0; i--)
            bytes[random.Next(bytes.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : bytes[random.Next(bytes.Length)];
        var wantsUsage = random.Next(2) == 0;
        var (one, two) = (RelayBytes(bytes, new Random(1), wantsUsage), RelayBytes(bytes, random, wantsUsage));

        Assert.Equal(one.Sent, two.Sent);
        Assert.Equal(one.Meter.DeliveredTokens, two.Meter.DeliveredTokens);
        Assert.Equal(one.Meter.Usage, two.Meter.Usage, (a, b) => a?.Raw == b?.Raw && a?.Reason == b?.Reason);
    });

    /// <summary>A stream as a provider sends it without and with <c>include_usage</c>, and the number of words in it.</summary>
    static (string Plain, string Injected, string Words) RandomStream(Random random)
    {
        var (plain, injected) = (new StringBuilder(), new StringBuilder());
        Both(u =>
            $$$"""data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":"""
                + $$$"""[{"index":0,"delta":{"role":"assistant","content":""}}]{{{u}}}}"""
                + "\n\n");
        var (words, said) = (random.Next(8), "");
        string[] vocabulary = ["word", "größer", "日", "\\u00e9a", "\\ud83d\\ude00", "a\\\"b", "\\\"usage\\\":"];
        for (var i = 0; i < words; i++)
        {
            var word = vocabulary[random.Next(vocabulary.Length - 1)];
            if (random.Next(6) == 0)
                Both(_ => ": ping\n\n");
            said += (i == 0 ? "" : " ") + word;
            Both(u => Chunk((i == 0 ? "" : " ") + word, u));
        }
        Both(Finish);
        injected.Append(UsageChunk(Usage));
        Both(_ => "data: [DONE]\n\n");
        return (plain.ToString(), injected.ToString(), said);

        void Both(Func<string, string> make)
        {
            plain.Append(make(""));
            injected.Append(make(",\"usage\":null"));
        }
    }

    static string Chunk(string content, string usage) =>
        $$$"""data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":"""
            + $$$"""[{"index":0,"delta":{"content":"{{{content}}}"},"finish_reason":null}]{{{usage}}}}"""
            + "\n\n";

    static string Finish(string usage) =>
        $$$"""data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":"""
            + $$$"""[{"index":0,"delta":{},"finish_reason":"stop"}]{{{usage}}}}"""
            + "\n\n";

    static string UsageChunk(string usage) =>
        $$$"""data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{{{usage}}}}""" + "\n\n";

    static (string Sent, ChatMeter Meter, bool Whole) StreamRelay(
        string stream, Random random, bool wantsUsage, int maxEventBytes = SseReader.MaxEventBytes, bool expectUsage = true)
    {
        var relayed = RelayBytes(Encoding.UTF8.GetBytes(stream), random, wantsUsage, maxEventBytes, expectUsage);
        return (Encoding.UTF8.GetString(relayed.Sent), relayed.Meter, relayed.Whole);
    }

    static (byte[] Sent, ChatMeter Meter, bool Whole) RelayBytes(
        byte[] stream,
        Random random,
        bool wantsUsage,
        int maxEventBytes = SseReader.MaxEventBytes,
        bool expectUsage = true)
    {
        using var relay = new ChatRelay(Request(wantsUsage), new ChatMeter(), maxEventBytes);
        var sent = new ArrayBufferWriter<byte>();
        for (var start = 0; start < stream.Length;)
        {
            var length = Math.Min(random.Next(1, 200), stream.Length - start);
            relay.Push(stream.AsSpan(start, length), sent);
            start += length;
        }
        relay.End(sent);
        if (expectUsage)
            relay.WriteTail(sent, relay.Meter.Settle(RequestBody(wantsUsage)).Usage, new Money(1230));
        else
            sent.Write("data: [DONE]\n\n"u8);
        return (sent.WrittenSpan.ToArray(), (ChatMeter)relay.Meter, relay.IsWhole);
    }

    static ChatRequest Request(bool wantsUsage) => ChatRequestTests.Accepted(Encoding.UTF8.GetString(RequestBody(wantsUsage)));

    static byte[] RequestBody(bool wantsUsage) => Encoding.UTF8.GetBytes(
        $$$"""{"model":"m","stream":true,"stream_options":{"include_usage":{{{(wantsUsage ? "true" : "false")}}}},"messages":"""
            + $$$"""[{"role":"user","content":"hi you"}]}""");

    static string Text(ArrayBufferWriter<byte> sent) => Encoding.UTF8.GetString(sent.WrittenSpan);
}
