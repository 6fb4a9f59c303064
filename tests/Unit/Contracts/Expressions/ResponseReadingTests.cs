using System.Text;
using LlmGateway.Contracts.Expressions;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>Of a response, only what its expression needs is kept, and it is the same in whatever pieces the response comes.</summary>
public sealed class ResponseReadingTests
{
    /// <summary>Each way to read a response, and what it must be kept for.</summary>
    public static TheoryData<string, string> Readings => new()
    {
        { "1", "" },
        { "responseBytes / 1024", "" },
        { "len(allData)", "" },
        { "usage.total_tokens", "" },
        { "json(sseLastData(allData)).usage.total_tokens ?? 1", "LastData" },
        { "let last = json(sseLastData(allData)); last.usage.total_tokens", "LastData" },
        { "count(sseEvents(allData))", "EventCount" },
        { "allData | sseEvents() | len()", "EventCount" },
        { "len(sseEvents(allData)[0].data)", "First 1" },
        { "len(sseEvents(allData)[15].data)", "First 16" },
        { "len(first(sseEvents(allData)).data ?? '')", "First 1" },
        { "len(sseEvents(allData)[-2].data)", "Last 2" },
        { "len(last(sseEvents(allData)).data ?? '')", "Last 1" },
        { "len(sseEvents(allData)[count(sseEvents(allData)) - 2].data)", "Last 2" },
        { "len(sseEvents(allData)[len(sseEvents(allData))-16].data)", "Last 16" },
        { "len(json(lastChunk) ?? '')", "LastData Lines" },
        { "sum(split(sseEvents(lastChunk)[0].data, 'x'))", "LastData Lines" },
        { "count(lines(allData))", "Lines" },
        { "count(linesNonEmpty(allData))", "Lines" },
        { "json(last(linesNonEmpty(allData))).n", "Lines" },
        { "len(sseEvents(allData)[16].data)", "Whole" },
        { "len(sseEvents(allData)[status].data)", "Whole" },
        { "len(sseEvents(allData)[0:2])", "Whole" },
        { "sum(sseEvents(allData), len(.data))", "Whole" },
        { "len(sseAllData(allData))", "Whole" },
        { "len(lower(allData))", "Whole" },
        { "len(respBody)", "Whole" },
        { "let all = allData; len(sseLastData(all))", "Whole" },
    };

    [Theory]
    [MemberData(nameof(Readings))]
    public void Keeps_no_more_than_the_expression_needs(string source, string kept)
    {
        var needs = Metered.Parse(source).Needs;
        string[] found =
        [
            needs.Whole ? "Whole" : "", needs.LastData ? "LastData" : "", needs.EventCount ? "EventCount" : "",
            needs.FirstEvents > 0 ? $"First {needs.FirstEvents}" : "", needs.LastEvents > 0 ? $"Last {needs.LastEvents}" : "",
            needs.Lines ? "Lines" : "",
        ];
        Assert.Equal(kept, string.Join(' ', found.Where(part => part.Length > 0)));
    }

    /// <summary>What is kept says the same as the whole, read through a variable that hides what is needed.</summary>
    [Theory]
    [MemberData(nameof(Readings))]
    public void What_is_kept_says_the_same_as_the_whole_in_any_pieces(string source, string kept) => Seeds.ForEach(150, random =>
    {
        _ = kept;
        var response = RandomResponse(random);
        var whole = Metered.Of(source, response);
        Assert.Equal(
            (whole.Value, whole.Failure?.Reason),
            Metered.Of(source, response, piece: () => random.Next(1, 12)) is var cut ? (cut.Value, cut.Failure?.Reason) : default);
        if (source.StartsWith("let ", StringComparison.Ordinal) || source.Contains("lastChunk", StringComparison.Ordinal))
            return;
        var hidden = Metered.Of(
            $"let everything = allData + ''; {source.Replace("allData", "everything", StringComparison.Ordinal)}", response);
        if (!source.StartsWith("len(allData)", StringComparison.Ordinal))
            Assert.Equal((whole.Value, whole.Failure?.Reason), (hidden.Value, hidden.Failure?.Reason));
    });

    [Fact]
    public void A_stream_cut_at_any_byte_says_what_it_says_whole()
    {
        var stream = Encoding.UTF8.GetBytes("""
            event: message_start
            data: {"message": {"usage": {"input_tokens": 7}}, "text": "é😀"}

            data: {"usage": {"total_tokens": 523}}

            data: [DONE]

            """ + "\r\n");
        foreach (var (source, expected) in ((string, decimal)[])
        [
            ("json(sseLastData(allData)).usage.total_tokens ?? 1", 523), ("count(sseEvents(allData))", 3),
            ("json(sseEvents(allData)[0].data).message.usage.input_tokens", 7), ("len(last(sseEvents(allData)).data)", 6),
            ("count(lines(allData))", 8), ("sum(sseEvents(allData), len(.data))", 95),
            ("json(sseLastData(lastChunk)).usage.total_tokens", 523),
        ])
        {
            var expression = Metered.Parse(source);
            for (var cut = 0; cut <= stream.Length; cut++)
            {
                var collector = new ResponseCollector(expression.Needs);
                collector.Push(stream.AsSpan(0, cut));
                collector.Push(stream.AsSpan(cut));
                Assert.Equal((source, cut, expected), (source, cut, expression.Measure(new() { Response = collector.End() }).Value ?? -1));
            }
        }
    }

    [Fact]
    public void The_last_data_is_neither_the_end_mark_nor_empty()
    {
        const string tokens = "json(sseLastData(allData)).n";
        const string rest = "data: [DONE]\n\ndata:\n\nevent: end\n\n: bye\n\n";
        Assert.Equal(5, Metered.Value(tokens, "data: {\"n\": 4}\n\ndata: {\"n\":\ndata: 5}\n\n" + rest));
        Assert.Equal(5, Metered.Value(tokens, "data:{\"n\": 5}"));
        Assert.Equal(Failure.NotJson, Metered.Reason(tokens, "data: {\"n\": 4}\n\ndata: {\"n\":"));
        Assert.Equal(Failure.WrongKind, Metered.Reason(tokens, "data: [DONE]\n\n"));
        Assert.Equal(Failure.WrongKind, Metered.Reason(tokens, ""));
    }

    [Fact]
    public void The_last_chunk_is_the_last_event_of_a_stream_or_its_last_line()
    {
        const string start = "data: {\"n\": 3}\n\nid: 1\nevent: x\n";
        Assert.Equal(4, Metered.Value("json(sseLastData(lastChunk)).n", start + "data: {\"n\": 4}\n\ndata: [DONE]\n\n"));
        Metered.Holds("sseEvents(lastChunk) == [{id: '1', event: 'x', data: 'a\\nb'}]", start + "data: a\ndata: b\n\n");
        Assert.Equal(4, Metered.Value("json(lastChunk).n", "{\"n\": 3}\r\n{\"n\": 4}\r\n\r\n"));
        Metered.Holds("lastChunk == ''");
    }

    [Fact]
    public void A_response_beyond_a_bound_fails_only_what_needs_it()
    {
        var filler = string.Concat(Enumerable.Repeat("data: " + new string('x', 100_000) + "\n\n", 43));
        var large = "data: {\"n\": 3}\n\n" + filler + "data: {\"n\": 4}\n\n";

        Assert.Equal(Failure.TooLarge, Metered.Reason("len(sseAllData(allData))", large));
        Assert.Equal(Failure.TooLarge, Metered.Reason("len(respBody)", large));
        Assert.Equal(4, Metered.Value("json(sseLastData(allData)).n", large));
        Assert.Equal(3, Metered.Value("json(sseEvents(allData)[0].data).n", large));
        Assert.Equal(45, Metered.Value("count(sseEvents(allData))", large));
        Assert.Equal(large.Length, Metered.Value("len(allData)", large));
    }

    [Fact]
    public void An_event_or_line_beyond_its_bound_is_counted_and_never_taken_for_another()
    {
        var (small, large) = ("data: {\"n\": 3}\n\n", "data: " + new string('x', 1_100_000) + "\n\n");
        foreach (var piece in (int[])[int.MaxValue, 65_536, 1_000])
        {
            Measurement Of(string source, string response) => Metered.Of(source, response, piece: () => piece);

            Assert.Equal(2, Of("count(sseEvents(allData))", small + large).Value);
            Assert.Equal(Failure.TooLarge, Of("json(sseLastData(allData)).n", small + large).Failure?.Reason);
            Assert.Equal(Failure.TooLarge, Of("len(lastChunk)", small + large).Failure?.Reason);
            Assert.Equal(Failure.TooLarge, Of("len(sseEvents(allData)[1].data)", small + large).Failure?.Reason);
            Assert.Equal(Failure.TooLarge, Of("len(sseEvents(allData))+sum(sseEvents(allData), {1})", small + large).Failure?.Reason);
            Assert.Equal(3, Of("json(sseLastData(allData)).n", large + small).Value);
            Assert.Equal(3, Of("json(sseEvents(allData)[-1].data).n", large + small).Value);
            Assert.Equal(Failure.TooLarge, Of("json(last(linesNonEmpty(allData))).n", small + large).Failure?.Reason);
            Assert.Equal(6, Of("count(lines(allData)) + 1", small + large).Value);
        }
    }

    [Fact]
    public void What_is_not_needed_takes_no_memory()
    {
        var piece = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("data: {\"n\": 4}\n\n", 1_000)));
        foreach (var (source, most) in ((string, long)[])
            [("1", 1_000), ("responseBytes", 1_000), ("json(sseLastData(allData)).n", 20_000), ("count(linesNonEmpty(allData))", 20_000)])
        {
            var expression = Metered.Parse(source);
            var collector = new ResponseCollector(expression.Needs);
            collector.Push(piece);
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 500; i++)
                collector.Push(piece);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, most);
        }
    }

    static string RandomResponse(Random random)
    {
        string[] lines =
        [
            "data: {\"n\": 4, \"usage\": {\"total_tokens\": 9}}", "data: [DONE]", "data:", "data", "event: x", "id: 1", ": c", "{\"n\": 5}",
            "junk", "data: é😀", "retry: 5",
        ];
        var text = new StringBuilder();
        for (var i = random.Next(0, 40); i > 0; i--)
            text.Append(random.Next(3) == 0 ? "" : lines[random.Next(lines.Length)]).Append(random.Next(4) == 0 ? "\r\n" : "\n");
        return text.Append(random.Next(2) == 0 ? "data: {\"n\": 6}" : "").ToString();
    }
}
