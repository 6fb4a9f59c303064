namespace LlmGateway.ServiceDefaults;

public static class Timeouts
{
    /// <summary>A token that fires with this one, or when the time is over. The caller disposes its source.</summary>
    public static CancellationTokenSource WithTimeout(this CancellationToken token, TimeSpan timeout)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(timeout);
        return limit;
    }
}
