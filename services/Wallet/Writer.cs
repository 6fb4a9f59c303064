using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Threading.Channels;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Group commit: takes all commands that wait, locks what they touch in id order, runs <see cref="Ledger"/> over it in memory, writes the result
/// with a handful of set-based statements, commits once, and only then answers. Several writers may run, in one process or many: the locks
/// are the rows'.
/// </summary>
public sealed class Writer(NpgsqlDataSource database, DatabaseReady ready, ILogger<Writer> log) : BackgroundService
{
    /// <summary>Commands in one transaction: past some hundreds the gain per command is small and the wait grows.</summary>
    public const int MaxBatch = 500;

    /// <summary>Commands that may wait; beyond it callers are told to come back (503), so that memory stays bounded.</summary>
    public const int MaxWaiting = 20_000;

    static readonly ActivitySource Source = new("LlmGateway.Wallet");
    static readonly Meter Metrics = new("LlmGateway.Wallet");
    static readonly Histogram<int> BatchSizes = Metrics.CreateHistogram<int>("gateway.ledger.batch_size", "{command}", "Commands per ledger transaction");
    static readonly Histogram<double> BatchTimes = Metrics.CreateHistogram<double>("gateway.ledger.batch_duration", "s", "Duration of a ledger transaction");

    readonly Channel<Pending> _waiting = Channel.CreateBounded<Pending>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    /// <summary>Completes when the command's effect is durable. Throws when the ledger could not be written; the command may then be repeated by id.</summary>
    public Task<Answer> RunAsync(Command command)
    {
        var pending = new Pending(command);
        if (!_waiting.Writer.TryWrite(pending))
            throw new ProblemException(Problems.Unavailable);
        return pending.Done.Task;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        var batch = new List<Pending>(MaxBatch);
        while (await _waiting.Reader.WaitToReadAsync(stoppingToken))
        {
            batch.Clear();
            while (batch.Count < MaxBatch && _waiting.Reader.TryRead(out var pending))
                batch.Add(pending);
            await CommitAsync(batch, stoppingToken);
        }
    }

    /// <summary>One command that cannot be applied must not take others with it: a failed batch is halved until the culprit stands alone.</summary>
    async Task CommitAsync(List<Pending> batch, CancellationToken token)
    {
        var started = Stopwatch.GetTimestamp();
        using var span = Source.StartActivity("ledger commit");
        span?.SetTag("llmgateway.commands", batch.Count);
        try
        {
            var answers = await RunBatchAsync(batch, token);
            for (var i = 0; i < batch.Count; i++)
                batch[i].Done.TrySetResult(answers[i]);
            Failpoint.Hit("wallet.writer.answered");
            BatchSizes.Record(batch.Count);
            BatchTimes.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        catch (Exception e) when (batch.Count == 1 || Problems.IsOutage(e) || token.IsCancellationRequested)
        {
            if (!Problems.IsOutage(e))
                log.LogCritical(e, "the ledger refuses {Command}", batch[0].Command);
            foreach (var pending in batch)
                pending.Done.TrySetException(e);
        }
        catch (Exception e)
        {
            log.LogError(e, "a batch of {Count} commands failed; looking for the culprit", batch.Count);
            var half = batch.Count / 2;
            await CommitAsync(batch[..half], token);
            await CommitAsync(batch[half..], token);
        }
    }

    async Task<Answer[]> RunBatchAsync(List<Pending> batch, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        Failpoint.Hit("wallet.writer.begun");
        var book = await BookStore.LockAsync(connection, transaction, batch.ConvertAll(pending => pending.Command), token);
        Failpoint.Hit("wallet.writer.locked");
        var answers = batch.ConvertAll(pending => Ledger.Apply(book, pending.Command)).ToArray();
        Failpoint.Hit("wallet.writer.applied");
        await BookStore.WriteAsync(connection, transaction, book, token);
        Failpoint.Hit("wallet.writer.written");
        await transaction.CommitAsync(token);
        Failpoint.Hit("wallet.writer.committed");
        return answers;
    }

    sealed class Pending(Command command)
    {
        public Command Command => command;

        public TaskCompletionSource<Answer> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
