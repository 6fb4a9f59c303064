using System.Diagnostics;
using System.Diagnostics.Metrics;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Commits waiting commands as a group. It locks what they touch in id order, applies them in memory (<see cref="Ledger"/>), writes the
/// result with a few set-based statements, commits once, and answers after that. The order of the locks prevents deadlocks. Several writers
/// may run, in one process or in many, because the locks are row locks.
/// </summary>
public sealed class Writer(NpgsqlDataSource database, DatabaseReady ready, TimeProvider time, ILogger<Writer> log) : BackgroundService
{
    static readonly Meter Metrics = new("LlmGateway.Wallet");
    static readonly Histogram<int> BatchSizes = Metrics.CreateHistogram<int>(
        "gateway.ledger.batch_size", "{command}", "Commands per ledger transaction");
    static readonly Histogram<double> BatchTimes = Metrics.CreateHistogram<double>(
        "gateway.ledger.batch_duration", "s", "Duration of a ledger transaction");

    static readonly Counter<long> StaleSettlements = Metrics.CreateCounter<long>(
        "gateway.ledger.stale", "{settlement}", "Settlements that the usage log has no open month for, put aside for a person");

    static readonly Counter<long> ForgivenCredits = Metrics.CreateCounter<long>(
        "gateway.ledger.forgiven_credits", "{credit}", "Call credits that requests have used and that were gone when they were booked");

    readonly Intake _intake = new();
    readonly ExistingAccounts _existing = new();

    /// <summary>A batch is committed. The next one waits for whoever listens.</summary>
    public event Action<Book>? Committed;

    /// <summary>
    /// Completes when the command's effect is durable. Throws when the ledger could not be written. The command may then be repeated with
    /// its id.
    /// </summary>
    public async Task<Answer> RunAsync(Command command) => (await RunAsync([command]))[0];

    /// <summary>The same for commands that arrive together and are answered together. They need not share a transaction.</summary>
    public Task<Answer[]> RunAsync(IReadOnlyList<Command> commands) => _intake.Add(commands);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Metrics.CreateObservableGauge("gateway.ledger.waiting", () => _intake.Count, "{command}", "Commands that wait for a transaction");
        await ready.Task.WaitAsync(stoppingToken);
        // A settlement whose month is not open would be put aside.
        await Backoff.UntilDoneAsync(
            () => UsageMonths.OpenAsync(database, stoppingToken),
            Problems.IsOutage,
            (e, pause) => log.LogWarning("the usage log is not open yet: {Message}", e.Message),
            stoppingToken);
        var batch = new List<Intake.Waiting>(2 * Intake.MaxBatch);
        await Loop.RunAsync("ledger", async token =>
        {
            await _intake.WaitAsync(token);
            while (_intake.Take(batch))
                await CommitAsync(batch, token);
        }, log, time, stoppingToken);
    }

    /// <summary>A command that cannot be applied must not fail others. A failed batch is halved until the command stands alone.</summary>
    async Task CommitAsync(List<Intake.Waiting> batch, CancellationToken token)
    {
        var started = Stopwatch.GetTimestamp();
        using var span = CommitSpan.Start(batch);
        try
        {
            var answers = await RunBatchAsync(batch, token);
            for (var i = 0; i < batch.Count; i++)
                batch[i].Answer(answers[i]);
            Failpoint.Hit("wallet.writer.answered");
            BatchSizes.Record(batch.Count);
            BatchTimes.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
            CommitSpan.Tell(span, batch);
        }
        catch (Exception e) when (batch.Count == 1 || Problems.IsOutage(e) || token.IsCancellationRequested)
        {
            _existing.Forget();
            if (!Problems.IsOutage(e))
                log.LogCritical(e, "the ledger refuses {Command}", batch[0].Command);
            foreach (var waiting in batch)
                waiting.Fail(e);
        }
        catch (Exception e)
        {
            _existing.Forget();
            log.LogError(e, "a batch of {Count} commands failed; looking for the culprit", batch.Count);
            var half = batch.Count / 2;
            await CommitAsync(batch[..half], token);
            await CommitAsync(batch[half..], token);
        }
    }

    async Task<Answer[]> RunBatchAsync(List<Intake.Waiting> batch, CancellationToken token)
    {
        var commands = batch.ConvertAll(waiting => waiting.Command);
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        Failpoint.Hit("wallet.writer.begun");
        var book = await BookStore.LockAsync(connection, transaction, commands, _existing, token);
        Failpoint.Hit("wallet.writer.locked");
        var answers = new Answer[commands.Count];
        for (var i = 0; i < answers.Length; i++)
            answers[i] = Ledger.Apply(book, commands[i]);
        if (book.NeedsUnread)
        {
            // Locked anew, because accounts come before leases. It happens only where a lease has ended before its settlements.
            _existing.ForgetCounters();
            await transaction.RollbackAsync(token);
            return await RunBatchAsync(batch, token);
        }
        Failpoint.Hit("wallet.writer.applied");
        await BookStore.WriteAsync(connection, transaction, book, token);
        Failpoint.Hit("wallet.writer.written");
        await transaction.CommitAsync(token);
        Failpoint.Hit("wallet.writer.committed");
        _existing.Remember(book);
        Committed?.Invoke(book);
        StaleSettlements.Add(book.Stale.Count);
        ForgivenCredits.Add(book.ForgivenCredits);
        return answers;
    }
}
