using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Periods of subscriptions: always counted from the anchor, so that the 31st comes back after February.</summary>
static class Periods
{
    public static long Add(long anchor, JsonObject recurring, long periods)
    {
        var (at, count) = (DateTimeOffset.FromUnixTimeSeconds(anchor), (int)(recurring.Long("interval_count") * periods));
        var end = recurring.Text("interval") switch
        {
            "day" => at.AddDays(count),
            "week" => at.AddDays(7 * count),
            "month" => at.AddMonths(count),
            _ => at.AddYears(count),
        };
        return end.ToUnixTimeSeconds();
    }

    /// <summary>About how long one is, in seconds.</summary>
    public static long Length(JsonObject recurring) => Add(0, recurring, 1);
}
