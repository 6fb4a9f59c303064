namespace LlmGateway.EndToEnd;

/// <summary>Calls that are all decided before the first of them is answered, by models whose name ends in <c>-barrier</c>.</summary>
static class Barrier
{
    static readonly TimeSpan DecisionLimit = TimeSpan.FromSeconds(60);

    /// <summary>Sends one call and returns when it waits at the provider; whoever releases the group lets it go on.</summary>
    public static async Task<(Task<Reply> Running, string Group)> StartAsync(Func<string, Task<Reply>> call)
    {
        var group = Sandbox.NewTag();
        var running = call($"[[group:{group}]] [[tokens:5]] one two");
        await Eventually.GetAsync(() => Sandbox.WaitingAsync(group), waiting => waiting == 1, "the call at the provider", DecisionLimit);
        return (running, group);
    }

    /// <summary>Sends calls at once and releases the provider when each has been admitted or refused.</summary>
    public static async Task<Reply[]> RunIntoAsync(int count, int admitted, Func<int, string, Task<Reply>> call)
    {
        var group = Sandbox.NewTag();
        var calls = Enumerable.Range(0, count).Select(i => call(i, $"[[group:{group}]] [[tokens:5]] one two")).ToArray();
        await Eventually.GetAsync(
            async () => (Waiting: await Sandbox.WaitingAsync(group), Refused: calls.Count(c => c.IsCompleted)),
            seen => seen.Waiting + seen.Refused == count, "a decision about every call", DecisionLimit);
        Assert.Equal(admitted, await Sandbox.ReleaseAsync(group));
        return await Task.WhenAll(calls);
    }
}
