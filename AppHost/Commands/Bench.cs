using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev bench</c>: what the gateway costs, as ratios measured side by side; see docs/benchmarks.md.</summary>
static class Bench
{
    const int Base = 6000;

    /// <summary>Everything but the proxy under test runs here, see benchmarks/Edge/Target.cs.</summary>
    const string CoreOfTheRest = "1";

    static readonly TimeSpan PinLimit = TimeSpan.FromSeconds(5);
    static readonly Folders Data = new(Path.Combine(Folders.DefaultData, "bench"));
    static readonly PortBlock Ports = new(Base);

    static readonly (string Name, Func<string[], CancellationToken, Task<ExitCode>> RunAsync)[] Benches = [("ledger", LedgerAsync), ("edge", EdgeAsync)];

    public static async Task<ExitCode> ExecuteAsync(Arguments arguments)
    {
        var chosen = Benches.Where(bench => arguments.Operand is null || bench.Name == arguments.Operand).ToList();
        if (chosen.Count == 0)
            throw new Failure(ExitCode.NotFound, $"there is no bench '{arguments.Operand}'; there are {string.Join(", ", Benches.Select(bench => bench.Name))}");
        using var interrupt = new Interrupt();
        await Prerequisites.EnsureServersAsync(interrupt.Token);
        foreach (var bench in chosen)
        {
            Console.WriteLine($"== {bench.Name}");
            StartAfresh();
            if (await bench.RunAsync(arguments.Has("--quick") ? ["--quick"] : [], interrupt.Token) is not ExitCode.Ok and var code)
                return code;
        }
        return ExitCode.Ok;
    }

    /// <summary>A whole stack behind one more proxy, which the bench starts itself: on a core of its own, with the same environment as the others.</summary>
    static async Task<ExitCode> EdgeAsync(string[] options, CancellationToken token)
    {
        await Prerequisites.EnsureLoadAsync(token);
        if (Environment.ProcessorCount < 2)
            throw new Failure(ExitCode.Unavailable, "the proxy under test needs a core to itself, and this machine has only one");
        // All threads of this process, and so everything that they start.
        await OneShot.RunAsync("taskset", ["-acp", CoreOfTheRest, $"{Environment.ProcessId}"], PinLimit);

        string[] seeds = [Path.Combine(Folders.Repository, "benchmarks", "Edge", "edge.seed.json")];
        await using var stack = await Stack.StartAsync(new(Data, Ports, seeds, Dashboard: false), token);
        var proxy = Topology.Services.Single(service => service.Name == "proxy") with { Name = "proxy3", Port = 3 };
        var plan = ServiceProcess.Prepare(proxy, Data, Ports, Secrets.LoadOrCreate(Data.Secrets), seeds, dashboard: false);
        var done = await RunAsync("Edge", options, new(plan.Environment) { ["BENCH_PROXY"] = plan.Arguments[0] }, token);
        return done == ExitCode.Ok ? await Verify.VerifyAsync(stack.State) : done;
    }

    static async Task<ExitCode> LedgerAsync(string[] options, CancellationToken token)
    {
        var secrets = Secrets.LoadOrCreate(Data.Secrets);
        using var launcher = new Launcher();
        using var postgres = new Child(await Postgres.PrepareAsync(Data, Ports, secrets), Data, launcher, () => { });
        try
        {
            await postgres.StartAsync(token);
            return await RunAsync("Ledger", options, new() { ["ConnectionStrings__wallet"] = Postgres.Connection(Ports, secrets, "wallet") }, token);
        }
        finally
        {
            await postgres.StopAsync();
        }
    }

    static async Task<ExitCode> RunAsync(string project, string[] options, Dictionary<string, string> environment, CancellationToken token)
    {
        var code = await OneShot.RunVisiblyAsync(Environment.ProcessPath!, [Folders.Assembly(project), .. options], token, environment);
        token.ThrowIfCancellationRequested();
        return code == 0 ? ExitCode.Ok : ExitCode.Failed;
    }

    static void StartAfresh()
    {
        if (StackState.ReadRunning(Data) is not null)
            throw Stack.AlreadyRuns(Data);
        Postgres.Delete(Data);
        if (Directory.Exists(Data.Data))
            Directory.Delete(Data.Data, recursive: true);
        Directory.CreateDirectory(Data.Data);
    }
}
