using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What ends requests that run: silence of their provider, and the end of their credential.</summary>
public sealed class RunningCallsTests
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), Silence = TimeSpan.FromSeconds(1);

    readonly FakeTimeProvider _clock = new();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_silent_provider_is_cut_off_although_Sessions_hangs()
    {
        var asked = new TaskCompletionSource();
        using var calls = NewCalls(new(_ =>
        {
            asked.TrySetResult();
            return new TaskCompletionSource<string>().Task;
        }));
        using var run = Start(calls, "caller");
        run.LimitSilence(Silence);
        var ended = EndOf(run);
        await calls.StartAsync(Token);
        calls.LookForRevoked();
        await asked.Task.WaitAsync(Patience, Token);

        _clock.Advance(2 * Silence);

        await ended.WaitAsync(Patience, Token);
        Assert.False(run.Revoked);
        await calls.StopAsync(Token);
    }

    /// <summary>A server may say that it is still at work for as long as it likes.</summary>
    [Fact]
    public async Task A_provider_that_goes_on_speaking_is_cut_off_when_its_time_is_over()
    {
        var asked = new TaskCompletionSource();
        using var calls = NewCalls(new(_ =>
        {
            asked.TrySetResult();
            return new TaskCompletionSource<string>().Task;
        }));
        using var run = Start(calls, "caller");
        run.LimitSilence(60 * Silence);
        run.LimitTime(Silence);
        var ended = EndOf(run);
        await calls.StartAsync(Token);
        calls.LookForRevoked();
        await asked.Task.WaitAsync(Patience, Token);

        _clock.Advance(2 * Silence);

        await ended.WaitAsync(Patience, Token);
        Assert.False(run.Revoked);
        await calls.StopAsync(Token);
    }

    /// <summary>One after the other they would be as many questions, each with its own wait.</summary>
    [Fact]
    public async Task A_thousand_credentials_are_checked_with_a_few_questions_and_the_unknown_ones_end()
    {
        const int credentials = 1_000;
        var sessions = new SessionsInMemory(_ => Task.FromResult("{}"));
        using var calls = NewCalls(sessions);
        var runs = Enumerable.Range(0, credentials).Select(i => Start(calls, $"caller {i}")).ToArray();
        var ended = Task.WhenAll(runs.Select(EndOf));
        await calls.StartAsync(Token);

        calls.LookForRevoked();

        await ended.WaitAsync(Patience, Token);
        Assert.All(runs, run => Assert.True(run.Revoked));
        Assert.InRange(sessions.Asked, 1, credentials / 10);
        await calls.StopAsync(Token);
        foreach (var run in runs)
            run.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_answer_is_read_to_its_end_when_its_caller_leaves_and_comes_back_by_its_key(bool keyed)
    {
        using var calls = NewCalls(new(_ => Task.FromResult("{}")));
        using var caller = new CancellationTokenSource();
        using var run = Start(calls, "caller", caller.Token, keyed);

        await caller.CancelAsync();

        Assert.Equal((keyed, !keyed), (run.Draining, run.Ended.IsCancellationRequested));
    }

    RunningCalls NewCalls(SessionsInMemory sessions)
    {
        var identity = sessions.Identity(TimeProvider.System);
        return new(identity, _clock, NullLogger<RunningCalls>.Instance);
    }

    static RunningCalls.Run Start(
        RunningCalls calls, string fingerprint, CancellationToken? caller = null, bool keyed = false) => calls.Start(
        new(SessionsInMemory.Credential(), null!, fingerprint),
        new(new("p", ProviderWire.OpenAi, "https://example.com/v1", "none", null, [], 60, 0, "cancel", false), []),
        caller ?? Token,
        keyed);

    static Task EndOf(RunningCalls.Run run)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        run.Ended.Register(() => ended.TrySetResult());
        return ended.Task;
    }
}
