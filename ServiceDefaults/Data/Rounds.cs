namespace LlmGateway.ServiceDefaults;

/// <summary>Work on tables in bounded statements, so that none holds many locks or takes long.</summary>
public static class Rounds
{
    /// <summary>
    /// Repeats <paramref name="round"/> until it has found less than it may take. A fixed number of rounds would fall behind for ever once
    /// rows come faster.
    /// </summary>
    /// <param name="full">The most rows that one round takes.</param>
    /// <param name="round">Returns how many rows it has taken.</param>
    public static async Task UntilNotFullAsync(int full, Func<Task<int>> round)
    {
        while (await round() >= full)
        {
            // The rows of a full round are not all.
        }
    }
}
