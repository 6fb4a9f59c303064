using System.Collections.Concurrent;
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
    /// <summary>Commands in one transaction, and in one message: past some hundreds the gain per command is small and the wait grows.</summary>
    public const int MaxBatch = 500;

    /// <summary>Commands that may wait; beyond it callers are told to come back (503), so that memory stays bounded.</summary>
    public const int MaxWaiting = 20_000;

    static readonly ActivitySource Source = new("LlmGateway.Wallet");
    static readonly Meter Metrics = new("LlmGateway.Wallet");
    static readonly Histogram<int> BatchSizes = Metrics.CreateHistogram<int>("gateway.ledger.batch_size", "{command}", "Commands per ledger transaction");
    static readonly Histogram<double> BatchTimes = Metrics.CreateHistogram<double>("gateway.ledger.batch_duration", "s", "Duration of a ledger transaction");

    /// <summary>What somebody waits for, a caller's lease above all, and what only has to be done. Both are bounded by <see cref="MaxWaiting"/> together.</summary>
    readonly ConcurrentQueue<Pending> _awaited = new(), _deferred = new();
    readonly Channel<bool> _news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    readonly ExistingAccounts _existing = new();
    int _commands;

    /// <summary>Completes when the command's effect is durable. Throws when the ledger could not be written; the command may then be repeated by id.</summary>
    public async Task<Answer> RunAsync(Command command) => (await RunAsync([command]))[0];

    /// <summary>The same for many that arrive together and are answered together; they need not share a transaction.</summary>
    public Task<Answer[]> RunAsync(IReadOnlyList<Command> commands)
    {
        if (commands.Count == 0)
            return Task.FromResult<Answer[]>([]);
        if (Interlocked.Add(ref _commands, commands.Count) > MaxWaiting)
        {
            Interlocked.Add(ref _commands, -commands.Count);
            throw new ProblemException(Problems.Unavailable);
        }
        var pending = new Pending(commands);
        (commands[0] is Settle or Expire or Rerate ? _deferred : _awaited).Enqueue(pending);
        _news.Writer.TryWrite(true);
        return pending.Done.Task;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        var batch = new List<Waiting>(2 * MaxBatch);
        for (; ; )
        {
            await _news.Reader.ReadAsync(stoppingToken);
            while (TakeNext(batch))
                await CommitAsync(batch, stoppingToken);
        }
    }

    /// <summary>The next batch: what is awaited first, so that nobody waits for a backlog of settlements; a part is always theirs, so that it does not grow for ever.</summary>
    bool TakeNext(List<Waiting> batch)
    {
        batch.Clear();
        Take(_awaited, MaxBatch / 2);
        Take(_deferred, MaxBatch);
        Take(_awaited, MaxBatch);
        Interlocked.Add(ref _commands, -batch.Count);
        return batch.Count > 0;

        void Take(ConcurrentQueue<Pending> queue, int upTo)
        {
            while (batch.Count < upTo && queue.TryDequeue(out var pending))
                for (var i = 0; i < pending.Commands.Count; i++)
                    batch.Add(new(pending, i));
        }
    }

    /// <summary>One command that cannot be applied must not take others with it: a failed batch is halved until the culprit stands alone.</summary>
    async Task CommitAsync(List<Waiting> batch, CancellationToken token)
    {
        var started = Stopwatch.GetTimestamp();
        using var span = Source.StartActivity("ledger commit");
        span?.SetTag("llmgateway.commands", batch.Count);
        try
        {
            var answers = await RunBatchAsync(batch, token);
            for (var i = 0; i < batch.Count; i++)
                batch[i].Answer(answers[i]);
            Failpoint.Hit("wallet.writer.answered");
            BatchSizes.Record(batch.Count);
            BatchTimes.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
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

    async Task<Answer[]> RunBatchAsync(List<Waiting> batch, CancellationToken token)
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
        Failpoint.Hit("wallet.writer.applied");
        await BookStore.WriteAsync(connection, transaction, book, token);
        Failpoint.Hit("wallet.writer.written");
        await transaction.CommitAsync(token);
        Failpoint.Hit("wallet.writer.committed");
        _existing.Remember(book);
        return answers;
    }

    /// <summary>Commands that arrived together. Only the writer's loop touches it until it is done.</summary>
    sealed class Pending(IReadOnlyList<Command> commands)
    {
        public IReadOnlyList<Command> Commands => commands;
        public Answer[] Answers { get; } = new Answer[commands.Count];
        public int Left { get; set; } = commands.Count;
        public Exception? Failure { get; set; }

        public TaskCompletionSource<Answer[]> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>One command of those that arrived together.</summary>
    readonly record struct Waiting(Pending Of, int Index)
    {
        public Command Command => Of.Commands[Index];

        public void Answer(Answer answer)
        {
            Of.Answers[Index] = answer;
            Decided();
        }

        public void Fail(Exception e)
        {
            Of.Failure = e;
            Decided();
        }

        /// <summary>Tells nobody before all are decided, so that whoever repeats a failed message does not meet itself.</summary>
        void Decided()
        {
            if (--Of.Left > 0)
                return;
            if (Of.Failure is { } failure)
                Of.Done.TrySetException(failure);
            else
                Of.Done.TrySetResult(Of.Answers);
        }
    }
}
