using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>When the ledger is asked about a client session, and what becomes of its answers.</summary>
public sealed class WindowAdmissionTests : IWindowLedger
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly Guid Customer = Ids.New();
    static readonly Guid Small = Counters.Windows(Customer, new(["small"], null)), All = Counters.Windows(Customer, null);

    readonly FakeTimeProvider _time = new(Noon);
    readonly WindowAdmission _sessions;
    readonly List<WindowsRequest> _asked = [];
    Func<WindowsRequest, Task<WindowsAnswer>> _answer;

    public WindowAdmissionTests()
    {
        _sessions = new(this, new(_time));
        _answer = _ => Task.FromResult(new WindowsAnswer(_time.GetUtcNow().AddHours(24), null));
    }

    public Task<WindowsAnswer> OpenAsync(WindowsRequest request)
    {
        _asked.Add(request);
        return _answer(request);
    }

    [Fact]
    public async Task The_ledger_is_asked_once_while_a_session_is_open_and_again_before_it_may_close()
    {
        var ann = await EnterAsync("ann");
        Assert.Equal(ann, await EnterAsync("ann"));
        _time.Advance(TimeSpan.FromHours(22.9));
        Assert.Equal(ann, await EnterAsync("ann"));
        Assert.Single(_asked);

        Assert.NotEqual(ann, await EnterAsync("ben"));
        Assert.Equal(2, _asked.Count);
        _time.Advance(TimeSpan.FromHours(0.2));
        await EnterAsync("ann");
        Assert.Equal(3, _asked.Count);
    }

    [Fact]
    public async Task Messages_that_come_at_once_ask_together_and_all_hear_the_answer()
    {
        var answer = new TaskCompletionSource<WindowsAnswer>();
        _answer = _ => answer.Task;
        var first = Enumerable.Range(0, 50).Select(_ => EnterAsync("ann")).ToList();
        Assert.Single(_asked);
        answer.SetException(new HttpRequestException("away"));
        foreach (var entered in first)
            await Assert.ThrowsAsync<HttpRequestException>(() => entered);

        // What failed is asked again.
        _answer = _ => Task.FromResult(new WindowsAnswer(Noon.AddHours(24), null));
        await EnterAsync("ann");
        Assert.Equal(2, _asked.Count);
    }

    [Fact]
    public async Task A_session_is_refused_by_the_limit_that_is_full_and_asked_about_again()
    {
        _answer = request => Task.FromResult(
            new WindowsAnswer(null, new(request.Windows[0].Lines[0].Register, RefusalReason.Exhausted, 0)));
        foreach (var attempt in (int[])[1, 2])
        {
            var (_, problem) = await _sessions.EnterAsync(Of(Limit(null)), Offer("small"), "ann", Token);
            Assert.Equal((429, "limit_reached"), (problem!.Status, problem.Code));
            Assert.Equal(new("customer", "windows", "5", "5", "1", Noon.AddHours(1)), problem.Limit);
            Assert.Equal(attempt, _asked.Count);
        }
    }

    [Fact]
    public async Task Limits_with_one_selector_count_one_session_and_those_with_others_their_own()
    {
        var credential = Of(Limit(null), Limit(null), Limit(new(["small"], null)));
        var (windows, _) = await _sessions.EnterAsync(credential, Offer("small"), "ann", Token);
        Assert.Equal([Counters.Window(All, "ann"), Counters.Window(Small, "ann")], windows!);
        Assert.Equal([2, 1], _asked[0].Windows.Select(demand => demand.Lines.Count));

        (windows, _) = await _sessions.EnterAsync(credential, Offer("large"), "ben", Token);
        Assert.Equal([Counters.Window(All, "ben")], windows!);
    }

    [Fact]
    public async Task Where_nothing_counts_sessions_none_need_be_named()
    {
        Assert.Equal(([], null), await _sessions.EnterAsync(Of(Limit(new(["small"], null))), Offer("large"), null, Token));
        Assert.Empty(_asked);
        var (_, problem) = await _sessions.EnterAsync(Of(Limit(null)), Offer("large"), null, Token);
        Assert.Equal((400, "limit_not_measurable"), (problem!.Status, problem.Code));
    }

    [Fact]
    public async Task A_copy_that_does_not_know_the_cycle_is_read_again()
    {
        _time.Advance(TimeSpan.FromHours(2));
        Assert.Equal((null, null), await _sessions.EnterAsync(Of(Limit(null)), Offer("small"), "ann", Token));
        Assert.Empty(_asked);
    }

    [Theory]
    [InlineData("path", "header", "metadata", "user", "path")]
    [InlineData(null, "header", "metadata", "user", "header")]
    [InlineData(null, " ", "metadata", "user", "metadata")]
    [InlineData(null, null, null, "user", "user")]
    [InlineData(null, null, "", "", null)]
    public void The_nearest_name_counts(string? inPath, string? inHeader, string? inMetadata, string? inUser, string? counts)
    {
        var http = new DefaultHttpContext();
        if (inPath is not null)
            http.Items[typeof(ClientSession)] = inPath;
        http.Request.Headers[ClientSession.Header] = inHeader;
        object[] messages = [new { role = "user", content = "x" }];
        var body = JsonSerializer.SerializeToUtf8Bytes(
            new { model = "m", messages, user = inUser, metadata = new { session_id = inMetadata } });
        Assert.Equal(counts, ClientSession.Of(http, Wires.Chat.Read(body, default)));
    }

    static CancellationToken Token => TestContext.Current.CancellationToken;

    async Task<Guid> EnterAsync(string session)
    {
        var (windows, problem) = await _sessions.EnterAsync(Of(Limit(null, hours: 100)), Offer("small"), session, Token);
        Assert.Null(problem);
        return Assert.Single(windows!);
    }

    static LimitLine Limit(Selector? only, int hours = 1) => new(
        Ids.New(), LimitLine.Customer, Unit.Windows, Counters.Windows(Customer, only), only,
        [new(Ids.New(), Noon.AddHours(-1), Noon.AddHours(hours), 5)]);

    static Credential Of(params LimitLine[] limits) => new(
        Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Ids.New(), Ids.New(), Customer, null, null, null, null, [],
        null)
    {
        Claim = new(limits, []),
    };

    static Route Offer(string model) => new(new(model, "chat", "p", model, 0, 0, null, new()), null!);
}
