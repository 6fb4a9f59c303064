using System.Net.Sockets;
using System.Text;

namespace LlmGateway.Faults;

/// <summary>A faulty network between a proxy and its provider: what the caller is told, and what is charged.</summary>
public sealed class UpstreamTests : IAsyncLifetime
{
    const long Start = 1_000_000_000;

    readonly FaultProxy _provider = new(Stack.Sandbox.Port, Stack.FaultsPort);

    public async ValueTask InitializeAsync() => await Processes.HealthyAsync();

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    public static TheoryData<string, bool> Deaths => new(
        from fault in (string[])["refused", "reset on accept", "reset after the request", "reset in the head", "end after the request"]
        from stream in (bool[])[false, true]
        select (fault, stream));

    [Theory]
    [MemberData(nameof(Deaths))]
    public async Task A_provider_whose_connection_dies_before_its_first_byte_costs_nothing(string fault, bool stream)
    {
        var user = await Load.Backend.NewUserAsync();
        _provider.Fault = Named(fault);

        var reply = await (stream ? user.StreamAsync("faulty", Price.Question) : user.ChatAsync("faulty", Price.Question));

        reply.MustBeProblem(502, "upstream_unreachable");
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Failed, 0L), (row.Outcome, row.Charged));
        Assert.Equal(Start, await user.BalanceAsync());
    }

    [Fact]
    public async Task A_second_attempt_that_succeeds_is_charged_once()
    {
        var user = await Load.Backend.NewUserAsync();
        _provider.Fault = Fault.Refused with { Times = 1 };

        var call = user.ChatAsync("retried", Price.Question);
        _provider.Fault = Fault.None; // the first attempt has found nobody, or it has not been made yet: both must end well
        (await call).MustBe(200);

        Assert.Equal(Start - Price.OfQuestion - Price.OfAnswer, await user.BalanceAfterAsync(1));
    }

    /// <summary>The provider has seen the request and may bill it; a second one would be billed, too.</summary>
    [Fact]
    public async Task A_request_whose_connection_ends_after_it_was_sent_is_not_sent_again()
    {
        var user = await Load.Backend.NewUserAsync();
        var tag = Sandbox.NewTag();
        _provider.Fault = Named("end after the request") with { Times = 1 };

        (await user.ChatAsync("retried", Price.Question, Sandbox.Tagged(tag))).MustBeProblem(502, "upstream_unreachable");

        Assert.Single(await Sandbox.CallsAsync(tag));
        Assert.Equal(0, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stream_that_is_cut_after_any_of_its_events_is_charged_for_the_words_that_arrived(bool reset)
    {
        // A role, six words, the reason for the end, usage, the end marker.
        const int events = 10, words = 6;
        var user = await Load.Backend.NewUserAsync();
        long charged = 0;
        for (var i = 1; i <= events; i++)
        {
            _provider.Fault = Fault.CutAt("\n\n", i) with { Resets = reset, Times = 1 };
            var reply = await user.StreamAsync("faulty", Price.Question, $"\"max_tokens\":{words}");
            var row = (await Books.UsageAsync(user, i))[^1];

            var delivered = reply.Status == 200 ? reply.Content.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length : 0;
            var expected = delivered == 0 ? 0 : Price.OfQuestion + delivered * Price.Output;
            Assert.Equal(
                (expected, delivered == 0 ? Outcome.Failed : i < events ? Outcome.Interrupted : Outcome.Completed),
                (row.Charged, row.Outcome));
            // A reset may overtake bytes that were sent before it; a FIN cannot.
            if (!reset)
                Assert.Equal(Math.Clamp(i - 1, 0, words), delivered);
            charged += expected;
        }
        Assert.Equal(Start - charged, await user.BalanceAsync());
    }

    [Fact]
    public async Task A_stream_that_is_cut_at_any_byte_delivers_whole_characters_and_charges_no_more_than_it_delivers()
    {
        const string text = "Grüße aus Köln, 東京 und 🌍!", prompt = $"[[say:{text}]]";
        var user = await Load.Backend.NewUserAsync();
        var whole = (await user.StreamAsync("faulty", prompt)).MustBe(200).Content;
        Assert.Equal(text, whole);
        var calls = 1;
        // From within the head of the answer to the end of the text, whatever its framing.
        for (var bytes = 100; bytes < 2400; bytes += 29)
        {
            _provider.Fault = Fault.CutAfter(bytes) with { Resets = false, Times = 1 };
            var reply = await user.StreamAsync("faulty", prompt);
            var row = (await Books.UsageAsync(user, ++calls))[^1];

            var delivered = reply.Status == 200 ? reply.Content : "";
            Assert.StartsWith(delivered, whole);
            Assert.InRange(
                row.Charged,
                delivered.Length == 0 ? 0 : 1,
                delivered.Length == 0 ? 0 : 100 * Price.Input + Encoding.UTF8.GetByteCount(delivered) * Price.Output);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_request_that_vanishes_after_it_was_sent_is_not_sent_again_and_costs_nothing(bool stream)
    {
        var user = await Load.Backend.NewUserAsync();
        var tag = Sandbox.NewTag();
        _provider.Fault = Fault.NoAnswer;

        var reply = await (stream
            ? user.StreamAsync("retried", Price.Question, Sandbox.Tagged(tag))
            : user.ChatAsync("retried", Price.Question, Sandbox.Tagged(tag)));

        reply.MustBeProblem(504, "upstream_timeout");
        Assert.Single(await Sandbox.CallsAsync(tag));
        Assert.Equal((Outcome.Failed, 0L), (await Books.OnlyUsageAsync(user) is var row ? row.Outcome : default, row.Charged));
    }

    [Fact]
    public async Task A_slow_network_that_delivers_byte_by_byte_changes_neither_answer_nor_price()
    {
        var user = await Load.Backend.NewUserAsync();
        _provider.Fault = Fault.Slow(TimeSpan.FromMilliseconds(2), pieceBytes: 97);

        var reply = (await user.StreamAsync("faulty", Price.Question)).MustBe(200);
        _provider.Fault = Fault.ByteByByte;
        Assert.Equal(reply.Content, (await user.StreamAsync("faulty", Price.Question)).MustBe(200).Content);

        Assert.Equal(Start - 2 * (Price.OfQuestion + Price.OfAnswer), await user.BalanceAfterAsync(2));
    }

    [Fact]
    public async Task Callers_who_read_nothing_cost_the_proxy_little_memory_are_cut_off_and_pay_for_what_was_delivered()
    {
        const int callers = 20, choices = 4, tokens = 100_000;
        const long little = 200 * 1024 * 1024;
        var user = await Load.Backend.NewUserAsync("100");
        var before = Processes.ResidentBytes("proxy");
        var sockets = await Task.WhenAll(
            Enumerable.Range(0, callers).Select(_ =>
                AskAndReadNothingAsync(user, Chat.Body("long", $"[[tokens:{tokens}]]", $"\"stream\":true,\"n\":{choices}"))));

        var most = before;
        var rows = await Eventually.GetAsync(
            async () =>
            {
                most = Math.Max(most, Processes.ResidentBytes("proxy"));
                return await Books.UsageAsync(user);
            },
            rows => rows.Count == callers, "the end of every stalled stream", TimeSpan.FromSeconds(60));
        foreach (var socket in sockets)
            socket.Dispose();

        Assert.InRange(most - before, long.MinValue, little);
        // What the buffers of two sockets take in is some percent of such an answer.
        Assert.All(
            rows,
            row =>
                Assert.True(
                    row is { Outcome: Outcome.Aborted, Reason: "stalled"
                        or "aborted", Estimated: true, OutputTokens: > 0 and < choices * tokens / 4 },
                    $"{row}"));
    }

    static async Task<Socket> AskAndReadNothingAsync(User user, string body)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync("127.0.0.1", Stack.Proxy.Port);
        await socket.SendAsync(Encoding.UTF8.GetBytes(
            $"POST {Chat.Path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user.Token}\r\nContent-Type: application/json\r\n"
                + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}"));
        return socket;
    }

    static Fault Named(string fault) => fault switch
    {
        "refused" => Fault.Refused,
        "reset on accept" => Fault.ResetOnAccept,
        "reset after the request" => Fault.CutAfter(0),
        "reset in the head" => Fault.CutAfter(20),
        "end after the request" => Fault.CutAfter(0) with { Resets = false },
        _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "no such fault"),
    };
}
