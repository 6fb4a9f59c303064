using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>The usage log as files.</summary>
public sealed class UsageExportTests
{
    static readonly Guid Project = Guid.NewGuid();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Forms => ["json", "csv", "focus"];

    [Fact]
    public void The_columns_of_a_table_are_the_members_of_a_line_in_json()
    {
        using var json = JsonDocument.Parse(JsonSerializer.Serialize(UsageLines.Request(), Defaults.Json));

        Assert.Equal(json.RootElement.EnumerateObject().Select(member => member.Name), UsageLine.Columns);
        Assert.Equal(UsageLine.Columns.Length, UsageLines.Request().Cells.Length);
        Assert.Equal("request", json.RootElement.GetProperty("type").GetString());
        Assert.Equal("0.000043", json.RootElement.GetProperty("cost").GetString());
    }

    [Fact]
    public async Task A_json_file_ends_with_how_many_lines_it_has_and_what_they_come_to()
    {
        var body = new Pieces();
        await WriteAsync(body, UsageForm.Json, UsageLines.ManyAsync(1_000));

        using var json = JsonDocument.Parse(body.ToArray());
        var (root, costs) = (json.RootElement, 999L * 1_000 / 2);
        Assert.Equal(["requests", "count", "total"], root.EnumerateObject().Select(member => member.Name));
        Assert.Equal((1_000, 1_000L), (root.GetProperty("requests").GetArrayLength(), root.GetProperty("count").GetInt64()));
        Assert.Equal(1_000, root.GetProperty("total").GetProperty("requests").GetInt64());
        Assert.Equal(new Money(costs).ToString(), root.GetProperty("total").GetProperty("cost").GetString());

        var empty = new Pieces();
        await WriteAsync(empty, UsageForm.Json, UsageLines.ManyAsync(0));
        using var nothing = JsonDocument.Parse(empty.ToArray());
        Assert.Equal(0, nothing.RootElement.GetProperty("count").GetInt64());
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task However_many_lines_there_are_they_are_sent_a_few_at_a_time(string form)
    {
        var body = new Pieces();
        await WriteAsync(body, FormOf(form), UsageLines.ManyAsync(5_000));

        Assert.InRange(body.Largest, 1, 2 * 64 * 1024);
        Assert.True(body.Length > 10 * body.Largest);
        if (form != "json")
            Assert.Equal(5_002, Encoding.UTF8.GetString(body.ToArray()).Split('\n').Length);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task What_breaks_off_never_looks_like_an_end(string form)
    {
        var body = new Pieces();

        await Assert.ThrowsAsync<IOException>(() => WriteAsync(body, FormOf(form), UsageLines.ManyAsync(5_000, breaksOff: true)));

        Assert.True(body.Length > 0);
        Assert.DoesNotContain("\"count\"", Encoding.UTF8.GetString(body.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_that_takes_nothing_is_left_after_a_while()
    {
        var time = new FakeTimeProvider();
        var writing = WriteAsync(new Stuck(), UsageForm.AsCsv, UsageLines.ManyAsync(1), time);

        Assert.False(writing.IsCompleted);
        time.Advance(FileParts.Patience);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
    }

    [Fact]
    public void A_name_that_is_a_formula_is_text_in_every_table_and_as_it_is_in_json()
    {
        var line = UsageLines.Request(model: "=HYPERLINK(\"http://x\")") with { Cost = new(-1) };

        foreach (var form in (UsageForm[])[UsageForm.AsCsv, UsageForm.AsFocus(Project)])
        {
            Assert.Contains("\"'=HYPERLINK(\"\"http://x\"\")\"", form.Line(line), StringComparison.Ordinal);
            Assert.Contains(",-0.000000001,", form.Line(line), StringComparison.Ordinal);
        }
        using var json = JsonDocument.Parse(UsageForm.Json.Line(line));
        Assert.Equal(line.Model, json.RootElement.GetProperty("model").GetString());
    }

    [Fact]
    public void A_project_has_two_exports_at_a_time_and_all_have_thirty_two()
    {
        var slots = new ExportSlots();
        var mine = new[] { slots.TryTake(Project), slots.TryTake(Project) };
        Assert.All(mine, slot => Assert.NotNull(slot));
        Assert.Null(slots.TryTake(Project));

        mine[0]!.Dispose();
        mine[0]!.Dispose();
        Assert.NotNull(slots.TryTake(Project));
        Assert.Null(slots.TryTake(Project));

        for (var i = 2; i < ExportSlots.OfAll; i++)
            Assert.NotNull(slots.TryTake(Guid.NewGuid()));
        Assert.Null(slots.TryTake(Guid.NewGuid()));
        mine[1]!.Dispose();
        Assert.NotNull(slots.TryTake(Guid.NewGuid()));
    }

    [Fact]
    public void A_cursor_keeps_the_place_and_the_times_to_the_tick()
    {
        var place = new LinePlace(UsageLines.At.AddTicks(1), Guid.NewGuid());
        var (from, to) = (UsageLines.At.AddDays(-1), UsageLines.At);

        Assert.Equal((place, from, to), ListRequests.ReadCursor(ListRequests.WriteCursor(place, from, to)));
    }

    [Theory]
    [InlineData("1"), InlineData("'; drop table usage_record; --")]
    [InlineData("ffffffffffffffff0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0000000000000000000000000000000g000000000000000000000000000000000000000000000000")]
    public void A_cursor_that_is_none_of_ours_is_refused_by_name(string cursor) =>
        Assert.Equal("cursor", Assert.Throws<ProblemException>(() => ListRequests.ReadCursor(cursor)).Problem.Param);

    static UsageForm FormOf(string name) => name switch
    {
        "json" => UsageForm.Json,
        "csv" => UsageForm.AsCsv,
        _ => UsageForm.AsFocus(Project),
    };

    static Task WriteAsync(Stream body, UsageForm form, IAsyncEnumerable<UsageLine> lines, TimeProvider? time = null)
    {
        var http = new DefaultHttpContext();
        http.Response.Body = body;
        return UsageExport.WriteAsync(http.Response, form, lines, time ?? TimeProvider.System, Token);
    }

    /// <summary>Remembers how much came at once.</summary>
    sealed class Pieces : MemoryStream
    {
        public int Largest { get; private set; }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Largest = Math.Max(Largest, buffer.Length);
            return base.WriteAsync(buffer, cancellationToken);
        }
    }

    /// <summary>A reader that stands still.</summary>
    sealed class Stuck : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            new(Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken));
    }
}
