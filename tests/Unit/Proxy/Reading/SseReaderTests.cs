using System.Text;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class SseReaderTests
{
    [Fact]
    public void Splits_events_and_reads_their_fields()
    {
        var events = Read("data: one\n\n: comment\n\nevent: end\r\ndata:two\r\ndata: three\r\nid: 7\r\n\r\n\ndata\n\ndatax: no\n\n", [1]);

        Assert.Equal(["data=one", "none", "end:data=two\nthree", "none", "data=", "none"], events.Select(e => e.Text));
    }

    [Fact]
    public void Gives_back_every_byte_in_order_whatever_the_pieces() => Seeds.ForEach(2000, random =>
    {
        var text = RandomStream(random);
        var whole = Read(text, [int.MaxValue]);
        var pieces = Read(text, [.. Enumerable.Range(0, 5).Select(_ => random.Next(1, 40))]);

        Assert.Equal(whole.Select(e => e.Text), pieces.Select(e => e.Text));
        Assert.Equal(text, string.Concat(pieces.Select(e => e.Raw)));
    });

    [Fact]
    public void Reads_an_event_of_a_megabyte_in_network_sized_pieces()
    {
        var data = new string('x', 1 << 20);
        var events = Read($"data: {data}\n\ndata: next\n\n", [1460]);
        Assert.Equal([$"data={data}", "data=next"], events.Select(e => e.Text));
    }

    [Fact]
    public void An_event_beyond_the_bound_passes_in_pieces_and_the_next_one_is_read_again() => Seeds.ForEach(500, random =>
    {
        var text = $"data: a\n\ndata: {new string('x', random.Next(200, 400))}\n\ndata: b\n\n";
        var events = Read(text, [.. Enumerable.Range(0, 4).Select(_ => random.Next(1, 300))], maxEventBytes: 100);

        Assert.Equal(text, string.Concat(events.Select(e => e.Raw)));
        Assert.Equal(["data=a", "data=b"], events.Where(e => !e.Oversize).Select(e => e.Text));
        Assert.Contains(events, e => e.Oversize);
    });

    [Fact]
    public void What_the_stream_ends_in_is_given_too()
    {
        var events = Read("data: a\n\ndata: b", [3]);
        Assert.Equal(["data=a", "data=b"], events.Select(e => e.Text));
        Assert.Equal([true, false], events.Select(e => e.Complete));
    }

    static List<(string Text, string Raw, bool Oversize, bool Complete)> Read(
        string text,
        int[] pieces,
        int maxEventBytes = SseReader.MaxEventBytes)
    {
        using var reader = new SseReader(maxEventBytes);
        var events = new List<(string, string, bool, bool)>();
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text);
        for (var i = 0; !rest.IsEmpty; i++)
        {
            var input = rest[..Math.Min(pieces[i % pieces.Length], rest.Length)];
            rest = rest[input.Length..];
            while (reader.TryRead(ref input, out var e))
                events.Add(Show(e));
        }
        if (reader.TryReadRest(out var last))
            events.Add(Show(last));
        return events;
    }

    static (string, string, bool, bool) Show(SseEvent e)
    {
        if (e.DataStart >= 0)
            Assert.True(e.Raw.Slice(e.DataStart, e.Data.Length).SequenceEqual(e.Data));
        var name = e.Name.IsEmpty ? "" : Encoding.UTF8.GetString(e.Name) + ":";
        return (
            e.HasData ? $"{name}data={Encoding.UTF8.GetString(e.Data)}" : "none",
            Encoding.UTF8.GetString(e.Raw),
            e.IsOversize,
            e.IsComplete);
    }

    static string RandomStream(Random random)
    {
        string[] lines = ["data: x", "data:", "data: {\"a\":1}", "event: y", ": z", "id: 1", "data", "junk", "\r", "data: é😀"];
        var text = new StringBuilder();
        for (var i = random.Next(1, 30); i > 0; i--)
            text.Append(random.Next(3) == 0 ? "" : lines[random.Next(lines.Length)]).Append(random.Next(2) == 0 ? "\n" : "\r\n");
        return text.ToString();
    }
}
