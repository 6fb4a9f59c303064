using System.Buffers;
using System.Runtime.CompilerServices;
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
    const int Streams = 32, Pieces = 20_000, MostBytes = 64 * 1024;
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
        var (stream, head) = (Stream(from), Head(to));
        StreamRelay[] relays = [.. Enumerable.Range(0, Streams).Select(_ => new TranslatedRelay(from, to, head))];
        var (early, late) = (stream.Length / 10, stream.Length / 10 * 8); // what follows may be the Responses wire saying it all again

        Push(relays, stream.AsSpan(0, early));
        var before = SettledMemory();
        Push(relays, stream.AsSpan(early, late - early));
        var kept = (SettledMemory() - before) / Streams;

        // The Responses wire ends with an event that repeats the whole answer, so its stream has to be kept.
        Assert.InRange(kept, long.MinValue, to == Wires.Responses ? 4 * Pieces * Piece.Length : MostBytes);
        foreach (var relay in relays)
            relay.Dispose();
    }

    /// <summary>
    /// This shows that the measurement above can fail. The amount is much larger than what the runtime's pools may give back meanwhile.
    /// </summary>
    [Fact]
    public void What_is_kept_is_seen()
    {
        const int bytes = 64 * 1024 * 1024;
        var before = SettledMemory();
        var kept = new byte[bytes];

        Assert.InRange(SettledMemory() - before, bytes / 2, bytes * 2L);
        GC.KeepAlive(kept);
    }

    /// <summary>When what other tests have left is gone, too.</summary>
    static long SettledMemory()
    {
        var last = GC.GetTotalMemory(forceFullCollection: true);
        for (var round = 0; round < 10; round++)
        {
            GC.WaitForPendingFinalizers();
            var now = GC.GetTotalMemory(forceFullCollection: true);
            if (Math.Abs(now - last) < MostBytes)
                return now;
            last = now;
        }
        return last;
    }

    /// <summary>Apart from the measuring, whose frame would keep alive what stands here.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Push(StreamRelay[] relays, ReadOnlySpan<byte> stream)
    {
        var sent = new ArrayBufferWriter<byte>();
        foreach (var relay in relays)
            for (var rest = stream; rest.Length > 0; sent.ResetWrittenCount())
            {
                var piece = rest[..Math.Min(4096, rest.Length)];
                relay.Push(piece, sent);
                rest = rest[piece.Length..];
            }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static byte[] Stream(ConversationWire from) => TranslationCases.WriteStream(from, Head(from),
    [
        new(AnswerEventKind.Start, Id: "a1"), .. Enumerable.Repeat(
            AnswerEvent.Words(Piece),
            Pieces), AnswerEvent.Finished(StopReason.End), AnswerEvent.Used(TranslationCases.Usage),
    ]);

    static AnswerHead Head(ConversationWire wire) => new("req_1", "m", DateTimeOffset.UnixEpoch, Request(wire));

    static ModelRequest Request(ConversationWire wire) => wire.Read(
        Encoding.UTF8.GetBytes(wire == Wires.Gemini
            ? """{"contents":[{"parts":[{"text":"a"}]}]}"""
            : $$"""{"model":"m","stream":true,"""
                + $$"""{{(wire == Wires.Responses ? "\"input\":\"a\"" : "\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
                    + "\"content\":\"a\"}]")}}}"""),
        new("m", true, true));
}
