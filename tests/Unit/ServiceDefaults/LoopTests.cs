using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

public sealed class LoopTests
{
    [Fact]
    public async Task A_round_that_fails_is_followed_by_the_next_one_whatever_it_threw()
    {
        using var stop = new CancellationTokenSource();
        var failures = new Queue<Exception>(
            [new InvalidOperationException("a bug"), new TimeoutException("an outage"), new TaskCanceledException()]);
        var rounds = 0;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Loop.RunAsync("test", _ =>
        {
            rounds++;
            if (failures.TryDequeue(out var failure))
                throw failure;
            stop.Cancel();
            return Task.CompletedTask;
        }, NullLogger.Instance, TimeProvider.System, stop.Token));

        Assert.Equal(4, rounds);
    }

    [Fact]
    public async Task It_ends_when_it_is_told_to_also_where_a_round_then_fails_otherwise()
    {
        using var stop = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Loop.RunAsync("test", async token =>
        {
            await stop.CancelAsync();
            token.ThrowIfCancellationRequested();
        }, NullLogger.Instance, TimeProvider.System, stop.Token));
    }
}
