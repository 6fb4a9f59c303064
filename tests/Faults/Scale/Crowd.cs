namespace LlmGateway.Faults;

/// <summary>Many callers, of whom at most <see cref="AtOnce"/> wait for an answer at the same time.</summary>
static class Crowd
{
    const int AtOnce = 64;

    /// <summary>Gives up when so many more than expected were answered.</summary>
    const int TooMany = 4_000_000;

    static readonly ParallelOptions Some = new() { MaxDegreeOfParallelism = AtOnce };

    /// <summary>Does it for each number below <paramref name="count"/>.</summary>
    public static Task DoAsync(int count, Func<int, Task> act) =>
        Parallel.ForEachAsync(Enumerable.Range(0, count), Some, async (i, _) => await act(i));

    /// <summary>Asks again and again until each caller is refused once; returns how many answers there were.</summary>
    public static async Task<long> UntilRefusedAsync(Func<int, Task<Reply>> ask, Action<Reply> mustBeTheRefusal)
    {
        var next = 0;
        var answers = await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async _ =>
        {
            for (var answered = 0L; ; answered++)
            {
                var number = Interlocked.Increment(ref next);
                Assert.InRange(number, 0, TooMany);
                var reply = await ask(number);
                if (reply.Status == 200)
                    continue;
                mustBeTheRefusal(reply);
                return answered;
            }
        }));
        return answers.Sum();
    }
}
