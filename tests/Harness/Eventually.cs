using System.Collections;
using System.Diagnostics;

namespace LlmGateway.Harness;

/// <summary>Waits for a condition, never for a time.</summary>
static class Eventually
{
    public static readonly TimeSpan Usual = TimeSpan.FromSeconds(15);

    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(25);

    /// <summary>Asks until the answer is good and returns it; after <paramref name="atMost"/> fails with the last answer.</summary>
    public static async Task<T> GetAsync<T>(Func<Task<T>> ask, Func<T, bool> isGood, string what, TimeSpan? atMost = null)
    {
        var bound = atMost ?? Usual;
        for (var started = Stopwatch.GetTimestamp(); ;)
        {
            var answer = await ask();
            if (isGood(answer))
                return answer;
            if (Stopwatch.GetElapsedTime(started) > bound)
                Assert.Fail($"{what} did not happen within {bound.TotalSeconds} s; the last answer was: {Show(answer)}");
            await Task.Delay(Pause);
        }
    }

    public static Task HoldsAsync(Func<Task<bool>> holds, string what, TimeSpan? atMost = null) =>
        GetAsync(holds, answer => answer, what, atMost);

    static string? Show(object? answer) =>
        answer is IEnumerable items and not string ? $"[{string.Join(", ", items.Cast<object>())}]" : answer?.ToString();
}
