namespace LlmGateway.UnitTests;

/// <summary>
/// Random cases that can be replayed: a failure names the seed, and <c>SEED=n</c> in the environment runs that one alone.
/// </summary>
static class Seeds
{
    /// <summary>Only one case runs.</summary>
    public static bool IsReplay => int.TryParse(Environment.GetEnvironmentVariable("SEED"), out _);

    public static void ForEach(int count, Action<Random> test)
    {
        if (int.TryParse(Environment.GetEnvironmentVariable("SEED"), out var only))
        {
            test(new Random(only));
            return;
        }
        for (var seed = 1; seed <= count; seed++)
        {
            try
            {
                test(new Random(seed));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"fails with SEED={seed}: {e.Message}", e);
            }
        }
    }
}
