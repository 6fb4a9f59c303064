using System.Text;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>Lists as files of tables.</summary>
public sealed class CsvTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null, ""), InlineData("", ""), InlineData("plain", "plain"), InlineData("it's", "it's"), InlineData("ü €", "ü €")]
    [InlineData("a,b", "\"a,b\""), InlineData("say \"b\"", "\"say \"\"b\"\"\""), InlineData("two\nlines", "\"two\nlines\"")]
    [InlineData("=1+1", "'=1+1"), InlineData("+49 30 1234", "'+49 30 1234"), InlineData("-a", "'-a"), InlineData("@sum", "'@sum")]
    [InlineData("\t=1", "\"'\t=1\""), InlineData("\r=1", "\"'\r=1\""), InlineData("=a,\"b\"", "\"'=a,\"\"b\"\"\"")]
    [InlineData("-2.499999999", "-2.499999999"), InlineData("+5", "+5"), InlineData("-", "'-"), InlineData("-1e5", "'-1e5")]
    [InlineData("-1,5", "\"'-1,5\""), InlineData("-0.000000001", "-0.000000001"), InlineData("  =1+1", "'  =1+1")]
    [InlineData("\u00a0@sum", "'\u00a0@sum"), InlineData("\n+1", "\"'\n+1\""), InlineData("\uff1d1+1", "'\uff1d1+1")]
    [InlineData("\uff0b1", "'\uff0b1"), InlineData("\uff0d1", "'\uff0d1"), InlineData("\uff20a", "'\uff20a"), InlineData("'=1", "''=1")]
    [InlineData(" 5", " 5"), InlineData(" ", " "), InlineData("a=b", "a=b")]
    public void A_cell_is_what_it_was_and_no_spreadsheet_runs_it(string? text, string cell) =>
        Assert.Equal($"first,{cell}\n", Csv.Line(["first", text]));

    /// <summary>Of each cell that begins with an apostrophe one is taken away: it was put there, or it was before another one.</summary>
    [Theory]
    [InlineData("=1+1"), InlineData("'=1"), InlineData("''"), InlineData("it's"), InlineData("\u3000\uff20a"), InlineData("-")]
    [InlineData("+5")]
    public void Who_reads_a_cell_gets_back_what_it_was(string text)
    {
        var cell = Csv.Line([text])[..^1];

        Assert.Equal(text, cell is ['\'', ..] ? cell[1..] : cell);
    }

    [Fact]
    public async Task A_list_is_a_file_that_is_named_with_a_line_for_each_of_many_rows()
    {
        const int Rows = 20_000;
        var http = new DefaultHttpContext();
        using var body = new MemoryStream();
        http.Response.Body = body;

        await Csv.FileAsync(
            http, new ExportSlots(), Guid.NewGuid(), "top-ups", ["id", "note"], ManyAsync(Rows), TimeProvider.System);

        Assert.Equal("text/csv; charset=utf-8", http.Response.ContentType);
        Assert.StartsWith("attachment; filename=top-ups.csv", http.Response.Headers.ContentDisposition.ToString());
        var lines = Encoding.UTF8.GetString(body.ToArray()).Split('\n');
        Assert.Equal(("id,note", "0,'=0", $"{Rows - 1},'={Rows - 1}", ""), (lines[0], lines[1], lines[^2], lines[^1]));
        Assert.Equal(Rows + 2, lines.Length);
    }

    /// <summary>Thousands of them would otherwise keep as many pages in memory.</summary>
    [Fact]
    public async Task A_file_has_one_of_the_places_of_its_project_and_a_reader_that_takes_nothing_is_left()
    {
        var (time, slots, project) = (new FakeTimeProvider(), new ExportSlots(), Guid.NewGuid());
        var reader = new Stuck();
        var http = new DefaultHttpContext { Response = { Body = reader } };
        var sending = Csv.FileAsync(http, slots, project, "top-ups", ["id"], ManyAsync(1), time);
        using (slots.Take(project))
        {
            var refused = await Assert.ThrowsAsync<ProblemException>(
                () => Csv.FileAsync(new DefaultHttpContext(), slots, project, "top-ups", ["id"], ManyAsync(1), time));
            Assert.Equal(429, refused.Problem.Status);
            await reader.Reached.Task.WaitAsync(Token);
            time.Advance(FileParts.Patience);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
            slots.Take(project).Dispose();
        }
    }

    [Theory]
    [InlineData("", "application/json", false), InlineData("", "*/*", false), InlineData("", "text/csv", true)]
    [InlineData("?format=json", "text/csv", false), InlineData("?format=csv", "application/json", true)]
    public void It_is_asked_for_by_the_address_or_the_header(string query, string accept, bool isCsv)
    {
        var http = new DefaultHttpContext { Request = { QueryString = new(query) } };
        http.Request.Headers.Accept = accept;

        Assert.Equal(isCsv, http.WantsCsv());
    }

    static async IAsyncEnumerable<IReadOnlyList<string?>> ManyAsync(int rows)
    {
        for (var i = 0; i < rows; i++)
        {
            if (i % 1000 == 0)
                await Task.Yield();
            yield return [$"{i}", $"={i}"];
        }
    }

    /// <summary>A reader that stands still.</summary>
    sealed class Stuck : MemoryStream
    {
        public TaskCompletionSource Reached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Reached.SetResult();
            return new(Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken));
        }
    }
}
