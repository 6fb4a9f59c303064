using System.Globalization;
using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev chaos</c>: a stack of its own under load while everything dies in random order, or every service at every failpoint; see tests/Faults.</summary>
static class Chaos
{
    const int Base = 4600, MaxMinutes = 24 * 60, MaxSeeds = 1000;
    const string Faults = "Faults";

    static readonly Folders Data = new(Path.Combine(Folders.DefaultData, "chaos"));
    static readonly TimeSpan Slack = TimeSpan.FromMinutes(10);

    public static async Task<ExitCode> ExecuteAsync(Arguments arguments)
    {
        using var interrupt = new Interrupt();
        var minutes = arguments.Number("--minutes", 5, 1, MaxMinutes);
        var seeds = arguments.Number("--seeds", 20, 1, MaxSeeds);
        var seed = arguments.Number("--seed", Random.Shared.Next(1, 1_000_000), 0, 1_000_000_000);
        await Prerequisites.EnsureServersAsync(interrupt.Token);
        await using var stack = await Test.StartAsync(Data, new(arguments.Number("--ports", Base, PortBlock.MinBase, PortBlock.MaxBase)), interrupt.Token);
        var failpoints = arguments.Has("--failpoints");
        Console.WriteLine(failpoints ? $"every failpoint, seeds {seed} to {seed + seeds - 1}" : $"{minutes} minutes of chaos from seed {seed}");
        var run = await TestRun.OfAsync(Faults, failpoints ? "CrashTests.Failpoints" : "ChaosTests.", new()
        {
            ["LLMGATEWAY_STATE"] = Data.State,
            ["CHAOS_MINUTES"] = Text(minutes),
            ["CHAOS_SEED"] = Text(seed),
            ["CHAOS_SEEDS"] = Text(seeds),
        }, interrupt.Token, explicitly: true, limit: failpoints ? TimeSpan.FromMinutes(10 * seeds) : TimeSpan.FromMinutes(minutes) + Slack);
        foreach (var failure in run.Failures)
            Console.WriteLine($"FAILED {failure}");
        return run is { Passed: > 0, Failed: 0 } ? await Verify.VerifyAsync(stack.State) : ExitCode.Failed;
    }

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
