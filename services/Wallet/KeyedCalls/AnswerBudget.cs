namespace LlmGateway.Wallet;

/// <summary>
/// Bytes of answers that wait to be booked. When commits hang, proxies give up and send again, and what was sent before still waits; the
/// number of commands alone would let them take twenty gigabytes.
/// </summary>
public sealed class AnswerBudget(long most = AnswerBudget.Default)
{
    const long Default = 256L * 1024 * 1024;

    long _taken;

    /// <summary>False when there is no room. Otherwise <see cref="Give"/> must end it.</summary>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _taken, bytes) <= most)
            return true;
        Give(bytes);
        return false;
    }

    public void Give(long bytes) => Interlocked.Add(ref _taken, -bytes);
}
