using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.UnitTests.Wallet;
using LlmGateway.Wallet;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// The real ledger core behind a network that loses, repeats and delays. A call waits until the run decides what becomes of it.
/// </summary>
sealed class LedgerInMemory(TimeProvider time) : ILeaseLedger
{
    public sealed record Call(Command Command, Action<Answer> Answer, Action<Exception> Lose);

    public MemoryStore Store { get; } = new();

    public List<Call> Pending { get; } = [];

    /// <summary>Commands whose callers have given up, and that still arrive.</summary>
    public List<Command> Late { get; } = [];

    public Task<LeaseAnswer> ExtendAsync(LeaseRequest request)
    {
        var answer = new TaskCompletionSource<LeaseAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        Pending.Add(new(new Extend(request), given => answer.SetResult(Leases.AnswerOf(given)), answer.SetException));
        return answer.Task;
    }

    public Task ReturnAsync(LeaseReturn give)
    {
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Pending.Add(new(new GiveBack(give), _ => answer.SetResult(), answer.SetException));
        return answer.Task;
    }

    public Answer Apply(Command command) => Store.Apply(command, time.GetUtcNow());
}
