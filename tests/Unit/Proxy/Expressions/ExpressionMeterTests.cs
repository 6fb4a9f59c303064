using System.Text;
using LlmGateway.Contracts.Expressions;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Expressions;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What apigate's expressions, the seed's first, say of the streams that the vendors really send.</summary>
public sealed class ExpressionMeterTests
{
    const string Seed = "json(sseLastData(allData)).usage.total_tokens ?? 1";

    const string Anthropics = "(json(sseEvents(allData)[0].data).message.usage.input_tokens ?? 0)"
        + " + (json(sseEvents(allData)[count(sseEvents(allData))-2].data).usage.output_tokens ?? 0)";

    const string OpenAi = """
        data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}],"usage":null}

        data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}

        data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":423,
             "total_tokens":523,"prompt_tokens_details":{"cached_tokens":40},"completion_tokens_details":{"reasoning_tokens":20}}}

        data: [DONE]


        """;

    const string Anthropic = """
        event: message_start
        data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],
             "usage":{"input_tokens":100,"cache_read_input_tokens":30,"cache_creation_input_tokens":0,"output_tokens":1}}}

        event: content_block_start
        data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":0}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":423}}

        event: message_stop
        data: {"type":"message_stop"}


        """;

    const string Gemini = """
        data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],
             "usageMetadata":{"promptTokenCount":100,"totalTokenCount":100}}

        data: {"candidates":[{"content":{"parts":[{"text":"!"}],"role":"model"},"finishReason":"STOP","index":0}],
             "usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":403,"thoughtsTokenCount":20,"totalTokenCount":523}}


        """;

    const string Responses = """
        event: response.created
        data: {"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","status":"in_progress","usage":null}}

        event: response.output_text.delta
        data: {"type":"response.output_text.delta","sequence_number":1,"item_id":"i","output_index":0,"content_index":0,"delta":"Hi"}

        event: response.completed
        data: {"type":"response.completed","sequence_number":2,"response":{"id":"r","object":"response","status":"completed","output":[],
             "usage":{"input_tokens":100,"output_tokens":423,"output_tokens_details":{"reasoning_tokens":20},"total_tokens":523}}}


        """;

    /// <summary>Lines of one event that the source breaks are one line.</summary>
    static string Stream(string name) => (name switch
    {
        "OpenAI" => OpenAi,
        "Anthropic" => Anthropic,
        "Gemini" => Gemini,
        _ => Responses,
    }).Replace("\n     ", "", StringComparison.Ordinal);

    [Theory]
    [InlineData("OpenAI", Seed, 523)]
    [InlineData("OpenAI", "get(json(sseLastData(allData)), \"usage.total_tokens\") ?? 1", 523)]
    [InlineData("OpenAI", "json(sseEvents(allData)[-2].data).usage.completion_tokens", 423)]
    [InlineData("Anthropic", Anthropics, 523)]
    [InlineData("Anthropic", "sum(map(filter(sseEvents(allData), .event == \"message_delta\"), json(.data).usage.output_tokens))", 423)]
    [InlineData("Gemini", "json(sseLastData(allData)).usageMetadata.totalTokenCount ?? 1", 523)]
    [InlineData("Responses", "json(sseLastData(allData)).response.usage.total_tokens", 523)]
    public void The_expressions_of_apigate_run_unchanged_on_the_vendors_streams_in_any_pieces(string vendor, string source, int expected) =>
        Seeds.ForEach(50, random => Assert.Equal(expected, Value(source, Stream(vendor), random)));

    [Theory]
    [InlineData("OpenAI", 523, 100, 423, 20)]
    [InlineData("Anthropic", 553, 130, 423, 0)]
    [InlineData("Gemini", 523, 100, 423, 20)]
    [InlineData("Responses", 523, 100, 423, 20)]
    public void Usage_has_the_same_members_whoever_answers(string vendor, int total, int input, int output, int reasoning) =>
        Seeds.ForEach(20, random =>
        {
            foreach (var (member, expected) in ((string, int)[])
                [("total_tokens", total), ("input_tokens", input), ("output_tokens", output), ("reasoning_tokens", reasoning)])
                Assert.Equal(expected, Value($"usage.{member}", Stream(vendor), random));
        });

    [Theory]
    [InlineData("""{"object":"chat.completion","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":"""
        + """{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}""")]
    [InlineData("""{"type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":"""
        + """{"input_tokens":7,"output_tokens":5}}""")]
    [InlineData("""{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP","index":0}],"usageMetadata":"""
        + """{"promptTokenCount":7,"candidatesTokenCount":5,"totalTokenCount":12}}""")]
    [InlineData("""{"object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":"""
        + """[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":7,"output_tokens":5,"total_tokens":12}}""")]
    public void Usage_is_there_in_an_answer_that_is_no_stream(string answer) =>
        Seeds.ForEach(20, random => Assert.Equal(12, Value("usage.total_tokens", answer, random, isStream: false)));

    /// <summary>Message_stop has no usage. That is no token and no 1: the call is settled by what the provider counted.</summary>
    [Theory]
    [InlineData("Anthropic", Seed, 553)]
    [InlineData("Gemini", Seed, 523)]
    [InlineData("OpenAI", "json(sseEvents(allData)[count(sseEvents(allData))-1].data).usage.total_tokens ?? 1", 523)]
    public void An_expression_that_fails_is_no_1_and_leaves_the_providers_counts(string vendor, string source, int total)
    {
        using var meter = Metered(source, Stream(vendor), new Random(1), isStream: true);
        var failure = meter.Measure(new()).Failure!;
        var reading = meter.Fallback(failure, "{}"u8)!;

        Assert.Equal((false, failure.Reason), (reading.Estimated, reading.Reason));
        Assert.Equal(total, MeterReading.InputOf(reading.Usage) + MeterReading.OutputOf(reading.Usage));
    }

    [Fact]
    public void A_stream_that_breaks_off_is_estimated_and_marked()
    {
        var stream = Stream("OpenAI");
        stream = stream[..stream.IndexOf("\"prompt_tokens\"", StringComparison.Ordinal)];
        using var meter = Metered(Seed, stream, new Random(1), isStream: true);
        var failure = meter.Measure(new()).Failure!;
        var reading = meter.Fallback(failure, """{"messages":[{"role":"user","content":"Say hi"}]}"""u8)!;

        Assert.Equal(Failure.NotJson, failure.Reason);
        Assert.Equal((true, "expression_not_json, usage_missing"), (reading.Estimated, reading.Reason));
        Assert.True(MeterReading.InputOf(reading.Usage) > 0 && MeterReading.OutputOf(reading.Usage) > 0);
    }

    [Fact]
    public void Impossible_usage_is_none()
    {
        var stream = Stream("OpenAI").Replace("\"completion_tokens\":423", "\"completion_tokens\":-423", StringComparison.Ordinal);
        using var meter = Metered("usage.total_tokens", stream, new Random(1), isStream: true);
        var failure = meter.Measure(new()).Failure!;

        Assert.Equal(Failure.WrongKind, failure.Reason);
        Assert.True(meter.Fallback(failure, "{}"u8)!.Estimated);
        Assert.Equal(7, Value("usage?.total_tokens ?? 7", stream, new Random(1)));
    }

    [Fact]
    public void What_belongs_to_no_wire_has_no_usage_and_no_estimate()
    {
        const string stream = "data: {\"progress\": 1}\n\ndata: {\"rows\": 12}\n\n";
        using var meter = Metered("usage.total_tokens", stream, new Random(1), isStream: true);

        Assert.Null(meter.Fallback(meter.Measure(new()).Failure!, "{}"u8));
        Assert.Equal(12, Value("json(sseLastData(allData)).rows", stream, new Random(1)));
    }

    [Theory]
    [InlineData("responseBytes / 1024", "", 2)] // content-media: kilobytes
    [InlineData("len(respBody)", "[1,2,3]", 3)] // financial-data: rows
    [InlineData("len(respBody.rows) * (query.premium == \"true\" ? 2 : 1)", """{"rows":[1,2,3]}""", 6)]
    [InlineData("len(respBody[\"json\"][\"images\"])", """{"json":{"images":["a","b"]}}""", 2)]
    [InlineData("get(respBody, \"json.audio_duration_seconds\") ?? 1", """{"json":{"audio_duration_seconds":12.25}}""", 12.25)]
    [InlineData("get(respBody, \"json.audio_duration_seconds\") ?? 1", "{}", 1)]
    [InlineData("count(linesNonEmpty(allData))", "{\"a\":1}\n\n{\"a\":2}\n", 2)]
    [InlineData("status < 400 ? respBody.units : 0", """{"units":"3.5"}""", 3.5)]
    [InlineData("default(respBody.tokens, 4)", "{}", 4)]
    [InlineData("coalesce(respBody.tokens, 1)", """{"tokens":9}""", 9)]
    [InlineData("1", "", 1)]
    public void Expressions_of_other_products_run_unchanged(string source, string answer, double expected)
    {
        var response = source.StartsWith("responseBytes", StringComparison.Ordinal) ? new string('x', 2048) : answer;
        using var meter = Metered(source, response, new Random(1), isStream: false);
        var facts = new Facts { Status = 200, Query = new Dictionary<string, string> { ["premium"] = "true" } };

        Assert.Equal((decimal)expected, meter.Measure(facts).Value);
    }

    static decimal? Value(string source, string response, Random random, bool isStream = true)
    {
        using var meter = Metered(source, response, random, isStream);
        var (value, failure) = meter.Measure(new() { Status = 200 });
        Assert.True(failure is null, failure?.ToString());
        return value;
    }

    static ExpressionMeter Metered(string source, string response, Random random, bool isStream)
    {
        Assert.True(MeteringExpression.TryParse(source, out var expression, out var error), $"{error}");
        var meter = new ExpressionMeter(expression, isStream);
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(response);
        while (!rest.IsEmpty)
        {
            var length = Math.Min(random.Next(1, 100), rest.Length);
            meter.Push(rest[..length]);
            rest = rest[length..];
        }
        meter.End();
        return meter;
    }
}
