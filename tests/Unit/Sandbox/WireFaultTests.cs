using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>What the ends of model names do, on every chat wire alike. The default answer has 20 tokens.</summary>
public sealed class WireFaultTests(Provider provider) : IClassFixture<Provider>
{
    const long Huge = 1_000_000_000_000_000_000;

    public static TheoryData<string> Wires => [.. Wire.All.Select(wire => wire.Name)];

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_status_comes_in_the_shape_of_the_wire(string name)
    {
        foreach (var status in new[] { 400, 401, 404, 429, 500, 503, 529 })
        {
            var refused = await SendAsync(name, new($"m-error-{status}", "hello") { Streams = status % 2 == 0 });

            Assert.Equal(status, refused.Status);
            Assert.NotEmpty(Wire.Named(name).ErrorOf(refused));
            Assert.Equal(status == 429 ? "1" : null, refused.Headers.GetValueOrDefault("Retry-After"));
        }
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_cut_leaves_half(string name)
    {
        var stream = await SendAsync(name, new("m-cut", "hello") { Streams = true });
        var whole = await SendAsync(name, new("m-cut", "hello"));
        var early = await SendAsync(name, new("m-cut-early", "hello") { Streams = true });

        Assert.True(stream.IsCut);
        Assert.Equal(10, Wire.Named(name).ReadStream(stream.Text).Words);
        Assert.Equal((true, whole.Length / 2), (whole.IsCut, whole.Body.Length));
        Assert.Equal((true, 0), (early.IsCut, early.Status));
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_failure_in_the_middle_is_an_event_after_half_of_the_tokens_and_the_last_one(string name)
    {
        var stream = await SendAsync(name, new("m-error-mid", "[[thinks:4]] [[tokens:16]]") { Streams = true });
        var whole = await SendAsync(name, new("m-error-mid", "hello"));

        Assert.Equal((200, false), (stream.Status, stream.IsCut));
        var heard = Wire.Named(name).ReadStream(stream.Text);
        Assert.Equal((10, false), (heard.Words, heard.HasEnded));
        Assert.NotEmpty(heard.Error!);
        Assert.Null(heard.Finish);
        Assert.Equal(500, whole.Status);
        Assert.Equal(heard.Error, Wire.Named(name).ErrorOf(whole));
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Usage_can_be_missing_or_a_lie(string name)
    {
        foreach (var streams in new[] { false, true })
        {
            Assert.Null((await HearAsync(name, new("m-nousage", "two words") { Streams = streams })).Usage);
            Assert.Equal((-2, -20), await InAndOutAsync("-badusage-negative", streams));
            Assert.Equal((0, 0), await InAndOutAsync("-badusage-zero", streams));
            Assert.Equal((Huge, Huge), await InAndOutAsync("-badusage-huge", streams));
            Assert.Equal((2, 20), await InAndOutAsync("-twousage", streams));

            var wrong = (await HearAsync(name, new("m-badusage-sum", "two words") { Streams = streams })).Usage!;
            Assert.Equal(7, wrong.Total is { } total ? total - wrong.Input - wrong.Output : wrong.Written);
        }

        async Task<(long, long)> InAndOutAsync(string end, bool streams)
        {
            var heard = await HearAsync(name, new("m" + end, "two words") { Streams = streams });
            Assert.Equal(20, heard.Words);
            return (heard.Usage!.Input, heard.Usage.Output);
        }
    }

    [Theory]
    [InlineData("chat", "\"completion_tokens\":10,")]
    [InlineData("responses", "\"output_tokens\":10,")]
    [InlineData("anthropic", "\"output_tokens\":10,")]
    [InlineData("gemini", "\"candidatesTokenCount\":10,")]
    public async Task Usage_can_come_twice(string name, string half)
    {
        var stream = (await SendAsync(name, new("m-twousage", "hello") { Streams = true })).Text;

        Assert.Contains(half, stream);
        Assert.True(
            stream.LastIndexOf(half.Replace("10", "20"), StringComparison.Ordinal) > stream.LastIndexOf(half, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_stream_can_lack_its_end_marker(string name)
    {
        var arrived = await SendAsync(name, new("m-nodone", "hello") { Streams = true });

        Assert.False(arrived.IsCut);
        // An array that is not closed has no comma behind its last chunk, by which a reader knows that it is all there.
        var heard = Wire.Named(name).ReadStream(arrived.Text + (name == "gemini array" ? ",\r\n" : ""));
        Assert.Equal((false, 20), (heard.HasEnded, heard.Words));
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task An_answer_can_be_too_long_for_a_line_or_for_its_limit(string name)
    {
        foreach (var streams in new[] { false, true })
        {
            Assert.StartsWith(new string('x', 70_000), (await HearAsync(name, new("m-bigline", "hello") { Streams = streams })).Text);

            var overrun = await HearAsync(name, new("m-overrun", "[[thinks:4]]") { Streams = streams, MaxTokens = 16 });
            Assert.Equal((32, 32L), (overrun.Words, overrun.Usage!.Output));
        }
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_web_page_can_come_instead(string name)
    {
        var page = await SendAsync(name, new("m-html", "hello"));

        Assert.Equal((200, "text/html; charset=utf-8"), (page.Status, page.Headers["Content-Type"]));
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_barrier_holds_until_it_is_released_and_a_hanging_call_until_the_caller_leaves(string name)
    {
        var tag = Guid.NewGuid().ToString("N");
        var waiting = SendAsync(name, new("m-barrier", $"[[group:{tag}]] [[tag:{tag}]]"));
        await provider.LoggedAsync(tag, call => call.Text("outcome") == "running");
        Assert.False(waiting.IsCompleted);
        while (!waiting.IsCompleted)
        {
            await provider.Http.PostAsync($"/sandbox/release?group={tag}", null, TestContext.Current.CancellationToken);
        }
        Assert.Equal(200, (await waiting).Status);

        using var leave = new CancellationTokenSource();
        var hanging = provider.SendAsync(Wire.Named(name).Request(new("m-hang", $"[[tag:{tag}h]]")), leave.Token);
        await provider.LoggedAsync(tag + "h", call => call.Text("outcome") == "running");
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hanging);
        await provider.LoggedAsync(tag + "h", call => call.Text("outcome") == "aborted");
    }

    [Theory]
    [InlineData("chat", "\"tool_calls\":[{\"index\":")]
    [InlineData("responses", "\"output_index\":")]
    [InlineData("anthropic", "\"index\":")]
    public async Task Parallel_calls_can_come_in_turn(string name, string index)
    {
        var orders = new List<string>();
        foreach (var model in new[] { "m", "m-interleaved" })
        {
            var stream = await SendAsync(
                name,
                new(model, "[[tool:f {\"a\": 1}]] [[tool:g {\"b\": 2}]]") { Streams = true, OffersTools = true });
            orders.Add(
                string.Concat(Wire.Events(stream.Text)
                    .Where(item => item.Data.Contains(index))
                    .Select(item => item.Data[item.Data.IndexOf(index, StringComparison.Ordinal) + index.Length])));
        }

        Assert.Equal(string.Concat(orders[0].Order()), orders[0]);
        Assert.Contains("0101", orders[1]);
    }

    [Fact]
    public async Task Stream_options_can_be_refused() => Assert.Contains(
        "stream_options",
        new ChatWire().ErrorOf(await SendAsync("chat", new("m-nostreamoptions", "hello") { Streams = true })));

    Task<Provider.Arrived> SendAsync(string name, Ask ask) => provider.SendAsync(Wire.Named(name).Request(ask));

    async Task<Heard> HearAsync(string name, Ask ask)
    {
        var arrived = await SendAsync(name, ask);
        Assert.Equal(200, arrived.Status);
        return ask.Streams ? Wire.Named(name).ReadStream(arrived.Text) : Wire.Named(name).Read(arrived.Json);
    }
}
