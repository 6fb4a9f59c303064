using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>Whatever takes time or memory takes steps for it, before it is done.</summary>
public sealed class EvaluationCostTests
{
    /// <summary>A text of 131072 characters, most of another one that it does not have, and a map with the text as a name.</summary>
    const string Long = "let t = reduce(1..16, #acc + #acc, 'ab'); let part = t[0:20000] + 'cb'; let named = {(t): 1}; ";

    [Theory]
    [InlineData("t contains part")]
    [InlineData("replace(t, part, '') == ''")]
    [InlineData("len(split(t, part)) == 1")]
    [InlineData("none(1..10000, t < t)")]
    [InlineData("none(1..10000, '' == t)")]
    [InlineData("none(1..10000, 'a' startsWith t)")]
    [InlineData("none(1..10000, t in named)")]
    [InlineData("none(1..10000, named[t] == 2)")]
    [InlineData("none(1..10000, named == {a: 1})")]
    [InlineData("none(1..10000, nil == {(t): 1})")]
    [InlineData("sum(map(1..10000, named), t) == 1")]
    public void What_reads_a_text_pays_for_its_length(string condition) =>
        Assert.Equal(Failure.TooLong, Metered.Reason($"{Long}{condition} ? 1 : 0"));

    /// <summary>A body of line feeds has as many lines as bytes, each of which would be an element.</summary>
    [Fact]
    public void A_text_is_not_taken_apart_into_lines_that_are_not_paid()
    {
        var body = new byte[8_000_000];
        body.AsSpan().Fill((byte)'\n');

        var (reason, allocated) = Measured("len(reverse(lines(rawBody)))", body, measured => measured.Failure?.Reason);

        Assert.Equal(Failure.TooLong, reason);
        Assert.InRange(allocated, 0, 40_000_000); // the body as a text is 16 MB
    }

    /// <summary>Rows of a body of the largest size can be counted.</summary>
    [Theory]
    [InlineData("count(linesNonEmpty(rawBody))", 500_000)]
    [InlineData("len(lines(rawBody))", 500_001)]
    public void Lines_that_are_only_counted_are_not_made(string source, int count)
    {
        var body = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"row\":\"of forty bytes, with its end\"}\n", 500_000)));

        var (units, allocated) = Measured(source, body, measured => measured.Units);

        Assert.Equal(count, units);
        Assert.InRange(allocated, 0, 100_000);
    }

    [Theory]
    [InlineData("", 0, 0), InlineData("a", 1, 1), InlineData("a\n", 2, 1), InlineData("\n", 2, 0), InlineData("\r\n", 2, 0)]
    [InlineData("a\r\nb\rc\n\rd", 5, 4), InlineData("\n\n\r\r\nä\r\n😀\n", 7, 2)]
    public void Lines_are_as_many_when_they_are_counted_as_when_they_are_made(string text, int lines, int filled)
    {
        var facts = new Facts { RequestBody = Encoding.UTF8.GetBytes(text) };
        foreach (var (function, expected) in ((string, int)[])[("lines", lines), ("linesNonEmpty", filled)])
        {
            Assert.Equal((text, (decimal?)expected), (text, Metered.Value($"count({function}(rawBody))", facts: facts)));
            Assert.Equal((text, (decimal?)expected), (text, Metered.Value($"len({function}(rawBody + ''))", facts: facts)));
            Assert.Equal((text, (decimal?)expected), (text, Metered.Value($"len(reverse({function}(rawBody)))", facts: facts)));
        }
    }

    /// <summary>Three million characters are kept; the eighteen million that they become as JSON are not.</summary>
    [Fact]
    public void What_JSON_escapes_pays_for_what_it_becomes()
    {
        var body = new byte[3_000_000];
        body.AsSpan().Fill(1);

        var (reason, allocated) = Measured("len(toJSON(rawBody))", body, measured => measured.Failure?.Reason);

        Assert.Equal(Failure.TooMuch, reason);
        Assert.InRange(allocated, 0, 10_000_000);
        Assert.Equal(8, Metered.Value("len(toJSON(rawBody))", facts: new() { RequestBody = body.AsMemory(0, 1) }));
    }

    [Fact]
    public void The_providers_counts_are_put_together_once()
    {
        var expression = Metered.Parse("sum(map(1..10000, usage), 'input_tokens')");
        var before = GC.GetAllocatedBytesForCurrentThread();

        var measured = expression.Measure(new() { Usage = new Usage { [Meter.Input] = 3 } });

        Assert.Equal(30_000, measured.Units);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4_000_000);
    }

    static (T Result, long Allocated) Measured<T>(string source, byte[] body, Func<Measurement, T> result)
    {
        var expression = Metered.Parse(source);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var measured = expression.Measure(new() { RequestBody = body });
        return (result(measured), GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
