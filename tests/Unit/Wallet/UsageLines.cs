using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Lines of the usage log, for tests of what is written of them.</summary>
static class UsageLines
{
    public static readonly DateTimeOffset At = new(2026, 11, 28, 5, 47, 11, TimeSpan.Zero);

    /// <summary>A request of 23 tokens that cost as much as that.</summary>
    public static UsageLine Request(long cost = 43_000, string model = "small") => new(
        "req_1", LineType.Request, "req_1", At, At.AddSeconds(3), At, "cus_1", "key_1", "/v1/chat/completions", model, "openai", "small-1",
        false, 200, RequestOutcome.Completed, 12, null, 3, 20, new(cost), new(cost), new(0), new(0), false, null, null);

    /// <summary>It gives back all but one nano-dollar of what a request of that time cost.</summary>
    public static UsageLine Correction(DateTimeOffset startedAt) => Request() with
    {
        Id = "txn_1", Type = LineType.Correction, StartedAt = startedAt, InputTokens = 0, OutputTokens = 0, Cost = new(-42_999),
        Charged = new(-42_999),
    };

    public static async IAsyncEnumerable<UsageLine> ManyAsync(int count, bool breaksOff = false)
    {
        for (var i = 0; i < count; i++)
        {
            await Task.CompletedTask;
            yield return Request(cost: i);
        }
        if (breaksOff)
            throw new IOException("the database is gone");
    }
}
