namespace LlmGateway.DevTool;

/// <summary><c>./dev bench</c>: what the gateway costs, as ratios measured side by side; see docs/benchmarks.md.</summary>
static class Bench
{
    /// <summary>Everything but the proxy under test runs here, see benchmarks/Edge/Rig/Target.cs.</summary>
    const string CoreOfTheRest = "1";

    static readonly string Peers = Path.Combine(StackFolder.Repository, "benchmarks", "Edge", "peers");

    /// <summary>What says nothing of speed, or what another bench says too, runs only when it is asked for.</summary>
    static readonly (string Name, bool ByDefault, Func<string[], CancellationToken, Task<int>> RunAsync)[] Benches =
    [
        ("ledger", true, (options, token) => RunAsync("Ledger", options, token)),
        ("books", false, (options, token) => RunAsync("Ledger", ["books", .. options], token)),
        ("edge", true, EdgeAsync),
        ("counts", false, (options, token) => EdgeAsync(["counts", .. options], token)),
        ("claims", false, (options, token) => EdgeAsync(["claims", .. options], token)),
        ("soak", false, (options, token) => EdgeAsync(["soak", .. options], token)),
        ("scale", false, ScaleAsync),
        ("payments", false, PaymentsAsync),
    ];

    static readonly TimeSpan LongestScale = TimeSpan.FromHours(2);

    public static async Task<int> ExecuteAsync(string? name, bool quick, CancellationToken token)
    {
        var chosen = Benches.Where(bench => name is null ? bench.ByDefault : bench.Name == name).ToList();
        if (chosen.Count == 0)
            throw new Failure(
                ExitCode.NotFound, $"there is no bench '{name}'; there are {string.Join(", ", Benches.Select(bench => bench.Name))}");
        await Installation.PrepareAllAsync(token);
        foreach (var bench in chosen)
        {
            Console.WriteLine($"== {bench.Name}");
            if (await bench.RunAsync(quick ? ["--quick"] : [], token) is not ExitCode.Ok and var code)
                return code;
        }
        return ExitCode.Ok;
    }

    static async Task<int> EdgeAsync(string[] options, CancellationToken token)
    {
        await Installation.EnsureLoadAsync(token);
        await Installation.TryCountersAsync(token);
        if (Environment.ProcessorCount < 2)
            throw new Failure(ExitCode.Unavailable, "the proxy under test needs a core to itself, and this machine has only one");
        // Gateways of others, from npm; without them only their rows are missing.
        var peers = Programs.Exists("npm") && Programs.Exists("node")
            && await Installation.InstallPackagesAsync(Peers, token, "--ignore-scripts");
        if (!peers)
            Console.WriteLine("npm or its packages are missing; the rows of Portkey are left out.");
        string[] rows = peers ? ["--peers", Peers] : [];
        return await RunAsync("Edge", [.. options, .. rows], token, "taskset", "-c", CoreOfTheRest);
    }

    /// <summary>What <c>./dev test</c> runs with smaller numbers, see tests/Faults/Scale.</summary>
    static async Task<int> ScaleAsync(string[] options, CancellationToken token) =>
        Code(await TestRun.OfAsync("Faults", "ScaleTests.", Form("SCALE", options), token, limit: LongestScale));

    /// <summary>See tests/EndToEnd/Billing/PaymentFigures.cs.</summary>
    static async Task<int> PaymentsAsync(string[] options, CancellationToken token) =>
        Code(await TestRun.OfAsync("EndToEnd", "PaymentFigures.", Form("FIGURES", options), token, explicitly: true));

    static Dictionary<string, string> Form(string variable, string[] options) =>
        new() { [variable] = options.Contains("--quick") ? "short" : "long" };

    static int Code(TestRun run)
    {
        foreach (var failure in run.Failures)
            Console.WriteLine($"FAILED {failure}");
        return run is { Passed: > 0, Failed: 0 } ? ExitCode.Ok : ExitCode.Failed;
    }

    static async Task<int> RunAsync(string project, string[] options, CancellationToken token, params string[] through)
    {
        string[] line = [.. through, "dotnet", TestRun.Assembly(project), .. options];
        return await Programs.ShowAsync(line[0], line[1..], token) == 0 ? ExitCode.Ok : ExitCode.Failed;
    }
}
