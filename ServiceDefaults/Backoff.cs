namespace LlmGateway.ServiceDefaults;

/// <summary>Repeats an attempt while a dependency is away. The pause doubles after each failure, from 100 ms to 5 s.</summary>
public static class Backoff
{
    public static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);

    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    public static TimeSpan Next(TimeSpan pause) => pause * 2 < LongestPause ? pause * 2 : LongestPause;

    /// <summary>Returns when <paramref name="attempt"/> has succeeded once. Throws a failure that is not to be repeated.</summary>
    /// <param name="repeats">True for a failure that is to be repeated.</param>
    /// <param name="failed">Is told each failure and the pause that follows it.</param>
    public static async Task UntilDoneAsync(
        Func<Task> attempt, Func<Exception, bool> repeats, Action<Exception, TimeSpan> failed, CancellationToken token)
    {
        for (var pause = FirstPause; ; pause = Next(pause))
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
