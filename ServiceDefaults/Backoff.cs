namespace LlmGateway.ServiceDefaults;

/// <summary>Repeats what a dependency that is away makes fail. The pause doubles after each failure, from 100 ms to 5 s.</summary>
public static class Backoff
{
    static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);

    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    /// <summary>Returns when <paramref name="attempt"/> has succeeded once. Throws what it throws when that is not to be repeated.</summary>
    /// <param name="repeats">Whether a failure is one that passes.</param>
    /// <param name="failed">Told each failure and the pause that follows it.</param>
    public static async Task UntilDoneAsync(
        Func<Task> attempt, Func<Exception, bool> repeats, Action<Exception, TimeSpan> failed, CancellationToken token)
    {
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                await attempt();
                return;
            }
            catch (Exception e) when (repeats(e))
            {
                token.ThrowIfCancellationRequested();
                failed(e, pause);
                await Task.Delay(pause, token);
            }
        }
    }
}
