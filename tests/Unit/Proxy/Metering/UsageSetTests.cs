using System.Globalization;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Anthropic;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.Gemini;
using LlmGateway.Proxy.Responses;
using LlmGateway.Proxy.Translation;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// However a provider splits its counts, over members or over the events of a stream, the customer pays for each token once and at its own
/// rate.
/// </summary>
public sealed class UsageSetTests
{
    /// <summary>What was really used: input that is neither read from a cache nor written to one, and so on.</summary>
    sealed record Truth(long Plain, long Read, long Written, long Said, long Thought)
    {
        public long Input => Plain + Read + Written;
        public long Output => Said + Thought;

        public static Truth Of(Random random)
        {
            long Some(int from) => random.Next(3) == 0 ? from : random.NextInt64(from, 20_000);
            return new(Some(1), Some(0), Some(0), Some(1), Some(0));
        }

        public (long, long, long, long, long) Meters => (Plain, Read, Written, Said, Thought);
    }

    static (long, long, long, long, long) Meters(ProviderUsage? read)
    {
        var usage = read!.Usage!;
        return (usage[Meter.Input], usage[Meter.CachedInput], usage[Meter.CacheWrite5m], usage[Meter.Output], usage[Meter.Reasoning]);
    }

    [Fact]
    public void Every_split_of_a_chat_usage_gives_the_same_meters() => Seeds.ForEach(20_000, random =>
    {
        var truth = Truth.Of(random);
        var (cacheBeside, thoughtsBeside) = (random.Next(2) == 0, random.Next(2) == 0);
        // Equal figures allow two readings, of which nobody can say which one is meant.
        var cache = truth.Read + truth.Written;
        long[] gaps = [cache, truth.Read, truth.Written, truth.Thought, cache + truth.Thought, truth.Read + truth.Thought];
        if (gaps.Where(gap => gap > 0).Distinct().Count() < gaps.Count(gap => gap > 0) && truth is not { Read: 0 } and not { Written: 0 })
            return;
        var inAnthropicsWords = random.Next(2) == 0;
        var prompt = truth.Input - (cacheBeside ? cache : 0);
        var completion = truth.Output - (thoughtsBeside ? truth.Thought : 0);
        var usage = $$$"""
            {"prompt_tokens":{{{prompt}}},"completion_tokens":{{{completion}}},"total_tokens":{{{truth.Input + truth.Output}}},
            "prompt_tokens_details":{"cached_tokens":{{{(inAnthropicsWords ? 0 : truth.Read)}}},
            "cache_write_tokens":{{{(inAnthropicsWords ? 0 : truth.Written)}}}},
            "cache_read_input_tokens":{{{(inAnthropicsWords ? truth.Read : 0)}}},
            "cache_creation_input_tokens":{{{(inAnthropicsWords ? truth.Written : 0)}}},
            "completion_tokens_details":{"reasoning_tokens":{{{truth.Thought}}}}}
            """;
        Assert.Equal(truth.Meters, Meters(ChatUsage.Read(Encoding.UTF8.GetBytes(usage))));
        var other = usage.Replace("prompt_tokens", "input_tokens", StringComparison.Ordinal)
            .Replace("completion_tokens", "output_tokens", StringComparison.Ordinal);
        Assert.Equal(truth.Meters, Meters(ResponsesUsage.Read(Encoding.UTF8.GetBytes(other))));
    });

    /// <summary>The start may guess, or know all; the end says all, the plain part of it, or nothing.</summary>
    [Fact]
    public void Every_split_of_an_Anthropic_stream_gives_the_meters_of_its_last_complete_set() => Seeds.ForEach(20_000, random =>
    {
        var truth = Truth.Of(random);
        var whole = Set(random, truth.Plain, truth.Read, truth.Written);
        var guess = random.Next(2) == 0 ? truth.Input : random.NextInt64(0, 30_000);
        var (start, end) = random.Next(4) switch
        {
            0 => (whole, ""),
            1 => (whole, Set(random, truth.Plain, 0, 0)),
            2 => (whole, "\"input_tokens\":0,\"cache_read_input_tokens\":0,"),
            // Only a set with a cache differs from what the start said for certain.
            _ => truth.Read + truth.Written > 0 || guess != truth.Plain ? (Set(random, guess, 0, 0), whole) : (whole, whole),
        };
        var output = string.Create(
            CultureInfo.InvariantCulture,
            $"\"output_tokens\":{truth.Output},\"output_tokens_details\":{{\"thinking_tokens\":{truth.Thought}}}");
        var usage = new AnthropicUsage();
        usage.Add(Encoding.UTF8.GetBytes($"{{{start}\"output_tokens\":{random.Next(2)}}}"));
        Assert.Equal(truth.Meters, Meters(usage.Add(Encoding.UTF8.GetBytes($"{{{end}{output}}}"))));
    });

    /// <summary>Members in any order. A count of zero may be left out, or null.</summary>
    static string Set(Random random, long plain, long read, long written)
    {
        List<string> members = [Member("input_tokens", plain, leaveOut: false)];
        members.Add(Member("cache_read_input_tokens", read, read == 0));
        members.Add(Member("cache_creation_input_tokens", written, written == 0));
        return string.Concat(members.OrderBy(_ => random.Next()));

        string Member(string name, long count, bool leaveOut) => !leaveOut
            ? string.Create(CultureInfo.InvariantCulture, $"\"{name}\":{count},")
            : random.Next(3) switch { 0 => "", 1 => $"\"{name}\":null,", _ => $"\"{name}\":0," };
    }

    [Fact]
    public void Every_split_of_a_Gemini_usage_gives_the_same_meters() => Seeds.ForEach(20_000, random =>
    {
        var truth = Truth.Of(random) with { Written = 0 };
        var thoughtsInside = random.Next(2) == 0;
        var cacheBeside = truth.Read > 0 && !thoughtsInside && random.Next(2) == 0;
        var usage = string.Create(CultureInfo.InvariantCulture, $$"""
            {"promptTokenCount":{{truth.Input - (cacheBeside ? truth.Read : 0)}},"cachedContentTokenCount":{{truth.Read}},
            "candidatesTokenCount":{{truth.Said + (thoughtsInside ? truth.Thought : 0)}},"thoughtsTokenCount":{{truth.Thought}},
            "totalTokenCount":{{truth.Input + truth.Output}}}
            """);
        Assert.Equal(truth.Meters, Meters(GeminiUsage.Read(Encoding.UTF8.GetBytes(usage))));
    });

    /// <summary>Portkey #1210: Bedrock's cache stood beside the prompt and was billed as output, sixty-six times too dear.</summary>
    [Theory]
    [InlineData("""
        {"prompt_tokens":368,"completion_tokens":19,"total_tokens":10923,"cache_read_input_tokens":10536,"cache_creation_input_tokens":0}
        """, 368, 10536, 0, 19, 0)]
    [InlineData(
        """{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":7010,"prompt_tokens_details":{"cached_tokens":6000}}""",
        1000, 6000, 0, 10, 0)]
    // LiteLLM #11789: the same count under two names, of which the first is zero.
    [InlineData("""
        {"total_tokens":2482,"prompt_tokens":2459,"completion_tokens":23,"prompt_tokens_details":{"audio_tokens":null,"cached_tokens":0},
        "cache_read_input_tokens":2455,"completion_tokens_details":{"reasoning_tokens":0},"cache_creation_input_tokens":0}
        """, 4, 2455, 0, 23, 0)]
    [InlineData("""
        {"prompt_tokens":10000,"completion_tokens":10,"total_tokens":10010,
        "prompt_tokens_details":{"cached_tokens":6000,"cache_creation_tokens":3000},"cache_read_input_tokens":6000,
        "cache_creation_input_tokens":3000}
        """, 1000, 6000, 3000, 10, 0)]
    // Anthropic's count cannot be a part of a smaller prompt, whatever the total says.
    [InlineData("""{"prompt_tokens":3,"completion_tokens":7,"total_tokens":10,"cache_read_input_tokens":900}""", 3, 900, 0, 7, 0)]
    // A gap that the cache explains in part. Only the rest can be thoughts.
    [InlineData("""{"prompt_tokens":3,"completion_tokens":7,"total_tokens":930,"prompt_tokens_details":{"cached_tokens":900}}""",
        3, 900, 0, 7, 20)]
    public void A_gap_is_explained_by_the_objects_own_counts(string json, long plain, long read, long written, long said, long thought) =>
        Assert.Equal((plain, read, written, said, thought), Meters(ChatUsage.Read(Encoding.UTF8.GetBytes(json))));

    /// <summary>
    /// envoyproxy/ai-gateway #2236: both ends of the stream say all of it. cline/cline #4346: only the end does, and the start has zeros.
    /// </summary>
    [Theory]
    [InlineData("\"input_tokens\":9,\"cache_read_input_tokens\":1,\"output_tokens\":0")]
    [InlineData("\"input_tokens\":0,\"output_tokens\":0")]
    [InlineData("\"input_tokens\":10,\"output_tokens\":1")]
    public void What_both_ends_of_a_stream_say_is_paid_once(string start)
    {
        var usage = new AnthropicUsage();
        usage.Add(Encoding.UTF8.GetBytes($"{{{start}}}"));
        var end = usage.Add("""{"input_tokens":9,"cache_read_input_tokens":1,"cache_creation_input_tokens":0,"output_tokens":16}"""u8);
        Assert.Equal((9L, 1L, 0L, 16L, 0L), Meters(end));
    }

    /// <summary>ogx #6415 and others: a server that speaks both wires says the whole prompt as plain input.</summary>
    [Fact]
    public void A_cache_inside_of_Anthropics_plain_input_is_not_paid_twice()
    {
        var read = new AnthropicUsage().Add(
            """{"input_tokens":10000,"output_tokens":10,"cache_read_input_tokens":9900,"prompt_tokens":10000}"""u8);
        Assert.Equal((100L, 9900L, 0L, 10L, 0L), Meters(read));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}""")]
    [InlineData("""{"prompt_tokens":20,"completion_tokens":0,"total_tokens":20}""")]
    [InlineData("\"none\"")]
    public void A_placeholder_after_the_usage_replaces_nothing(string placeholder)
    {
        AnswerMeter[] meters = [new ChatMeter(), new EventMeter(new ChatReader())];
        foreach (var meter in meters)
        {
            foreach (var usage in (string[])["""{"prompt_tokens":20,"completion_tokens":7}""", placeholder])
                ((WholeMeter)meter).See(Encoding.UTF8.GetBytes(
                    $$"""{"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}],"usage":{{usage}}}"""));
            Assert.Equal((20L, 0L, 0L, 7L, 0L), Meters(meter.Usage));
        }
    }

    [Fact]
    public void Usage_inside_of_a_choice_counts_where_there_is_no_other()
    {
        var chunk = """{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":20,"completion_tokens":7}}]}"""u8;
        WholeMeter[] meters = [new ChatMeter(), new EventMeter(new ChatReader())];
        foreach (var meter in meters)
        {
            meter.See(chunk);
            Assert.Equal((20L, 0L, 0L, 7L, 0L), Meters(meter.Usage));
        }
    }
}
