namespace LlmGateway.Proxy;

/// <summary>A request that waits for the ledger's answer to its slice.</summary>
sealed class Waiter(long[] minimum, long[] full)
{
    public long[] Minimum => minimum;
    public long[] Full => full;
    public TaskCompletionSource<HoldAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}
