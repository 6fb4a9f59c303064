namespace LlmGateway.Proxy;

/// <summary>A request that waits for the ledger's answer to its slice.</summary>
sealed class Waiter(long[] minimum, long[] full)
{
    public long[] Minimum => minimum;
    public long[] Full => full;
    public TaskCompletionSource<HoldAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What is idle suffices for every register.</summary>
    public static bool Covers(long[] idle, long[] needed)
    {
        for (var i = 0; i < idle.Length; i++)
            if (idle[i] < needed[i])
                return false;
        return true;
    }
}
