using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>In which order the ledger does what it is asked, and who is told when.</summary>
public sealed class IntakeTests
{
    readonly Intake _intake = new();
    readonly List<Intake.Waiting> _batch = [];

    [Fact]
    public void A_caller_who_waits_stands_before_a_backlog_that_nobody_waits_for()
    {
        _ = _intake.Add(Deferred(2 * Intake.MaxBatch));
        var freeze = Awaited(1);
        _ = _intake.Add(freeze);

        Assert.True(_intake.Take(_batch));

        Assert.Same(freeze[0], _batch[0].Command);
        Assert.Equal(1 + 2 * Intake.MaxBatch, _batch.Count);
    }

    [Fact]
    public void However_many_callers_wait_a_half_of_each_batch_is_left_to_the_backlog()
    {
        for (var i = 0; i < 3 * Intake.MaxBatch; i++)
            _ = _intake.Add(Awaited(1));
        for (var i = 0; i < Intake.MaxBatch; i++)
            _ = _intake.Add(Deferred(1));

        Assert.True(_intake.Take(_batch));

        Assert.Equal(Intake.MaxBatch, _batch.Count);
        Assert.Equal(Intake.MaxBatch / 2, _batch.Count(waiting => waiting.Command is Rerate));
    }

    [Fact]
    public void Each_kind_keeps_its_order_and_a_batch_is_filled_from_either()
    {
        var (first, second) = (Awaited(Intake.MaxBatch - 1), Awaited(2));
        _ = _intake.Add(first);
        _ = _intake.Add(second);

        Assert.True(_intake.Take(_batch));

        Assert.Equal([.. first, .. second], _batch.ConvertAll(waiting => waiting.Command));
        Assert.False(_intake.Take(_batch));
    }

    [Fact]
    public async Task Those_who_came_together_are_told_when_the_last_of_them_is_decided()
    {
        var told = _intake.Add(Awaited(2));
        _intake.Take(_batch);

        _batch[0].Answer(new Answer.Done());
        Assert.False(told.IsCompleted);
        _batch[1].Fail(new TimeoutException());

        await Assert.ThrowsAsync<TimeoutException>(() => told);
    }

    [Fact]
    public async Task Beyond_its_limit_it_takes_no_more_until_something_was_taken()
    {
        _ = _intake.Add(Deferred(Intake.MaxWaiting));

        Assert.Equal(503, (await Assert.ThrowsAsync<ProblemException>(() => _intake.Add(Awaited(1)))).Problem.Status);
        _intake.Take(_batch);
        _ = _intake.Add(Awaited(1));

        Assert.True(_intake.Take(_batch));
    }

    [Fact]
    public async Task Whoever_takes_hears_of_what_was_added_before_and_after()
    {
        _ = _intake.Add(Awaited(1));
        Assert.True(await _intake.WaitAsync(TestContext.Current.CancellationToken));
        var next = _intake.WaitAsync(TestContext.Current.CancellationToken);
        Assert.False(next.IsCompleted);

        _ = _intake.Add(Deferred(1));

        Assert.True(await next);
    }

    static Command[] Awaited(int count) => [.. Enumerable.Range(0, count).Select(_ => new Freeze(Ids.New(), Frozen: true))];

    static Command[] Deferred(int count) =>
        [.. Enumerable.Range(0, count)
            .Select(_ => new Rerate(Ids.New(), Ids.New(), null, Ids.New(), Ids.New(), Test: false, Ids.New(), 0))];
}
