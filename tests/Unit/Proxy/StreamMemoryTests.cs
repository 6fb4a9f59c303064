using System.Buffers;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Runs alone: it looks at the process's memory.</summary>
[CollectionDefinition(nameof(StreamMemoryTests), DisableParallelization = true)]
public sealed class StreamMemoryAlone;

[Collection(nameof(StreamMemoryTests))]
public sealed class StreamMemoryTests
{
    const int Streams = 16, Pieces = 20_000, MostBytes = 64 * 1024;
    const string Piece = "words ";

    static readonly ConversationWire[] All = [Wires.Chat, Wires.Responses, Wires.Messages, Wires.Gemini];

    public static TheoryData<string, string> Pairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (var from in All)
            foreach (var to in All.Where(to => to != from))
                pairs.Add(from.Name, to.Name);
        return pairs;
    }

    [Theory, MemberData(nameof(Pairs))]
    public void A_translated_stream_keeps_nothing_of_what_it_has_passed_on(string provider, string caller)
    {
        var (from, to) = (All.Single(wire => wire.Name == provider), All.Single(wire => wire.Name == caller));
        var head = new AnswerHead("req_1", "m", DateTimeOffset.UnixEpoch, Request(to));
        var stream = TranslationCases.WriteStream(from, head with { Request = Request(from) },
        [
            new(AnswerEventKind.Start, Id: "a1"), .. Enumerable.Repeat(AnswerEvent.Words(Piece), Pieces), AnswerEvent.Finished(StopReason.End), AnswerEvent.Used(TranslationCases.Usage),
        ]);
        // The Responses wire ends with an event that says everything again, so its stream has to be remembered.
        var most = MostBytes + (to == Wires.Responses ? 4 * Piece.Length * Pieces : 0);
        var middle = stream.Length / 10 * 9;
        Relay[] relays = [.. Enumerable.Range(0, Streams).Select(_ => new TranslatedRelay(from, to, head))];
        var sent = new ArrayBufferWriter<byte>(1024 * 1024);

        var before = GC.GetTotalMemory(forceFullCollection: true);
        foreach (var relay in relays)
            for (var start = 0; start < middle; start += 4096, sent.ResetWrittenCount())
                relay.Push(stream.AsSpan(start, Math.Min(4096, middle - start)), sent);
        var kept = (GC.GetTotalMemory(forceFullCollection: true) - before) / Streams;

        Assert.InRange(kept, long.MinValue, most);
        foreach (var relay in relays)
            relay.Dispose();
    }

    static ModelRequest Request(ConversationWire wire) => wire.Read(Encoding.UTF8.GetBytes(wire == Wires.Gemini
        ? """{"contents":[{"parts":[{"text":"a"}]}]}"""
        : $$"""{"model":"m","stream":true,{{(wire == Wires.Responses ? "\"input\":\"a\"" : "\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]")}}}"""), new("m", true, true));
}
