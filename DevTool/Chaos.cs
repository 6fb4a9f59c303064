using System.Globalization;

namespace LlmGateway.DevTool;

/// <param name="Seeds">How often every failpoint is gone through.</param>
/// <param name="Seed">A random one when nothing is said.</param>
sealed record ChaosOptions(bool Failpoints, int Minutes, int Seeds, int? Seed);

/// <summary>
/// <c>./dev chaos</c>: a stack of its own under load while everything dies in random order, or every service at every failpoint; see
/// tests/Faults.
/// </summary>
static class Chaos
{
    static readonly TimeSpan Slack = TimeSpan.FromMinutes(10), EachSeed = TimeSpan.FromMinutes(12), Payments = TimeSpan.FromMinutes(25);

    public static async Task<int> ExecuteAsync(ChaosOptions options, CancellationToken token)
    {
        await Installation.PrepareAllAsync(token);
        var seed = options.Seed ?? Random.Shared.Next(1, 1_000_000);
        Console.WriteLine(options.Failpoints
            ? $"every failpoint, seeds {seed} to {seed + options.Seeds - 1}"
            : $"{options.Minutes} minutes of chaos from seed {seed}");
        var run = await TestRun.OfAsync("Faults", options.Failpoints ? "Tests.Failpoints" : "ChaosTests.", new()
        {
            ["CHAOS_MINUTES"] = Text(options.Minutes),
            ["CHAOS_SEED"] = Text(seed),
            ["CHAOS_SEEDS"] = Text(options.Seeds),
        }, token, explicitly: true,
            limit: options.Failpoints ? EachSeed * options.Seeds + Payments : TimeSpan.FromMinutes(options.Minutes) + Slack);
        foreach (var failure in run.Failures)
            Console.WriteLine($"FAILED {failure}");
        return run is { Passed: > 0, Failed: 0 } ? ExitCode.Ok : ExitCode.Failed;
    }

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
