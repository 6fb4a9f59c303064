namespace LlmGateway.Edge;

/// <summary>One line of what the gateway promises of itself.</summary>
/// <param name="Values">One for each load; null when nobody was there to compare with.</param>
/// <param name="More">Whether more is better.</param>
/// <param name="Limited">Whether both proxies were the limit of their throughput; null for figures that do not depend on it.</param>
sealed record Goal(string Figure, double AtLeast, double ReachFor, bool More, double?[] Values, bool? Limited = null)
{
    string Verdict => Values switch
    {
        var values when values.Contains(null) => "",
        var values when values.All(value => Holds(value!.Value, ReachFor)) => " ✓✓",
        var values when values.All(value => Holds(value!.Value, AtLeast)) => " ✓",
        _ => " ✗",
    };

    public string Row
    {
        get
        {
            var sign = More ? "≥" : "≤";
            var values = string.Join(" / ", Values.Select(value => Report.Text(value, value is > 0 and < 0.1 ? "F3" : "F2")));
            return $"| {Figure} | {sign} {AtLeast:0.##} | {sign} {ReachFor:0.##} | {values}{(Limited is false ? "*" : "")}{Verdict} |";
        }
    }

    public static void Print(IEnumerable<Goal> goals)
    {
        Console.WriteLine("\n| figure | target at least | reach for | this run |\n|---|---:|---:|---:|");
        foreach (var goal in goals)
            Console.WriteLine(goal.Row);
    }

    bool Holds(double value, double bound) => More ? value >= bound : value <= bound;
}

/// <summary>The short table: our promises and whether this run keeps them.</summary>
static class Goals
{
    public static void Print(Results results, Scenario.Set scenarios, double redisPerRequest, Checkpoints checkpoints)
    {
        Scenario[] json = [scenarios.Json32, scenarios.Json256], beside = [scenarios.Beside32, scenarios.Beside256];
        var (full, yarp, paced) = (Rig.Full, Rig.Yarp, scenarios.Paced);
        var translation = results.Of(scenarios.Translated, full).CpuPerRequest / results.Of(scenarios.Burst, full).CpuPerRequest;
        Goal[] goals =
        [
            Throughput("requests/s ÷ YARP, 1 KB JSON, 32 / 256 connections", 1.0, 1.5, yarp, json),
            Throughput("requests/s ÷ nginx, 32 / 256", 0.40, 0.60, Rig.Nginx, json),
            Throughput("requests/s ÷ Portkey, 32 / 256", 15, 25, Rig.Portkey, json),
            Throughput("requests/s ÷ the same without governance, 32 / 256", 0.80, 0.90, Rig.Ungoverned, json),
            Ratio("CPU per request ÷ YARP, 32 / 256", 1.0, 0.65, more: false, yarp, json, sample => sample.CpuPerRequest),
            Throughput("requests/s ÷ YARP, beside as much work, 32 / 256", 1.0, 1.5, yarp, beside),
            Throughput("requests/s ÷ the same without governance, beside as much work, 32 / 256", 0.80, 0.90, Rig.Ungoverned, beside),
            Ratio("CPU per request ÷ YARP, beside as much work, 32 / 256", 1.0, 0.65, more: false, yarp, beside,
                sample => sample.CpuPerRequest),
            Ratio("p50 ÷ YARP, 1 connection", 1.5, 1.0, more: false, yarp, [scenarios.Json1], sample => sample.P50),
            new("Redis round trips per request", 0.2, 0.02, More: false, [redisPerRequest]),
            Throughput("SSE bursts: streams/s ÷ YARP", 0.85, 1.0, yarp, [scenarios.Burst]),
            Ratio("SSE paced, 512 streams: CPU per event ÷ YARP", 1.15, 0.95, more: false, yarp, [paced], sample => sample.CpuPerEvent),
            new("SSE paced: events lost", 0, 0, More: false, [results.Of(paced, full).Lost]),
            new("SSE bursts translated to another wire: CPU ÷ passed on", 3, 1.5, More: false, [translation]),
            Ratio("memory after 256 connections ÷ YARP", 1.2, 1.0, more: false, yarp, [scenarios.Json256], sample => sample.Megabytes),
            Throughput("256 KB requests: requests/s ÷ YARP", 0.7, 0.95, yarp, [scenarios.Large]),
            new("checkpoint of a stream with a 1 MB prompt, µs", 50, 20, More: false, [checkpoints.Each]),
            new("checkpoint of a stream with a 1 MB prompt ÷ counting that prompt", 0.05, 0.02, More: false, [checkpoints.ToCount]),
        ];
        Goal.Print(goals);
        Console.WriteLine("\n✓✓ reached, ✓ at least, ✗ missed; "
            + "* one of the two proxies was not the limit of its throughput (cores below 0.95): the machine was.");
        if (results.MostForeign > Comparison.MostForeign)
            Console.WriteLine($"Disturbed: other processes took up to {Report.Text(results.MostForeign)} of a proxy's core. "
                + "These are hints, not figures.");

        Goal Throughput(string figure, double atLeast, double reachFor, string other, Scenario[] loads) =>
            Ratio(figure, atLeast, reachFor, more: true, other, loads, sample => sample.PerSecond) with
            {
                Limited = loads.All(load => results.Of(load, full).IsLimit && results.Find(load, other) is not { IsLimit: false }),
            };

        Goal Ratio(string figure, double atLeast, double reachFor, bool more, string other, Scenario[] loads, Func<Sample, double> of)
        {
            return new(figure, atLeast, reachFor, more, [.. loads.Select(OursToOther)]);

            double? OursToOther(Scenario load) =>
                results.Find(load, other) is { } sample ? of(results.Of(load, full)) / of(sample) : null;
        }
    }
}
