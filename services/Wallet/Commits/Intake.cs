using System.Collections.Concurrent;
using System.Diagnostics;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary>
/// Commands on their way to <see cref="Writer"/>. Commands that someone waits for, leases above all, go before deferred ones, so that no
/// caller waits for a backlog of settlements. A part of each batch is reserved for deferred commands, so that their backlog does not grow
/// for ever. Many threads may add; one takes.
/// </summary>
public sealed class Intake
{
    /// <summary>
    /// Most commands of one transaction, and of one message. Beyond some hundreds the gain per command is small and the wait grows.
    /// </summary>
    public const int MaxBatch = 500;

    /// <summary>Most commands that wait. Beyond it callers get a 503, so that memory stays bounded.</summary>
    public const int MaxWaiting = 20_000;

    readonly ConcurrentQueue<Pending> _awaited = new(), _deferred = new();
    readonly WakeSignal _added = new();
    int _count;

    /// <summary>
    /// Completes when all commands were decided. They arrived together and are answered together, but need not share a batch. Throws
    /// <see cref="ProblemException"/> when too many wait.
    /// </summary>
    public Task<Answer[]> Add(IReadOnlyList<Command> commands)
    {
        if (commands.Count == 0)
            return Task.FromResult<Answer[]>([]);
        if (Interlocked.Add(ref _count, commands.Count) > MaxWaiting)
        {
            Interlocked.Add(ref _count, -commands.Count);
            throw new ProblemException(Problems.Unavailable);
        }
        var pending = new Pending(commands);
        (commands[0] is Settle { IsAwaited: false } or Expire or Rerate ? _deferred : _awaited).Enqueue(pending);
        _added.Raise();
        return pending.Done.Task;
    }

    /// <summary>Waits until there may be something to take.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken token) => _added.WaitAsync(token);

    /// <summary>Commands that wait now.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>
    /// Fills <paramref name="batch"/> with the next commands; false when nothing waits. Commands that arrived together stay together, so a
    /// batch may be longer than <see cref="MaxBatch"/>.
    /// </summary>
    public bool Take(List<Waiting> batch)
    {
        batch.Clear();
        TakeFrom(_awaited, MaxBatch / 2);
        TakeFrom(_deferred, MaxBatch);
        TakeFrom(_awaited, MaxBatch);
        Interlocked.Add(ref _count, -batch.Count);
        return batch.Count > 0;

        void TakeFrom(ConcurrentQueue<Pending> queue, int upTo)
        {
            while (batch.Count < upTo && queue.TryDequeue(out var pending))
                for (var i = 0; i < pending.Commands.Count; i++)
                    batch.Add(new(pending, i));
        }
    }

    /// <summary>Commands that arrived together. Only the writer's loop changes it until it is done.</summary>
    public sealed class Pending(IReadOnlyList<Command> commands)
    {
        public IReadOnlyList<Command> Commands => commands;
        public Answer[] Answers { get; } = new Answer[commands.Count];
        public int Left { get; set; } = commands.Count;
        public Exception? Failure { get; set; }

        /// <summary>Who asked: the span of a call or of a message, if its trace is recorded.</summary>
        public ActivityContext Asker { get; } = Activity.Current is { Recorded: true } span ? span.Context : default;

        public TaskCompletionSource<Answer[]> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>One of several commands that arrived together.</summary>
    public readonly record struct Waiting(Pending Of, int Index)
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

        /// <summary>Answers only after all commands were decided, so that a repeated message cannot meet its first run.</summary>
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
