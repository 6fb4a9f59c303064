using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev bench</c>: what the gateway costs, as ratios measured side by side; see docs/benchmarks.md.</summary>
static class Bench
{
    const int Base = 6000;

    /// <summary>Everything but the proxy under test runs here, see benchmarks/Edge/Target.cs.</summary>
    const string CoreOfTheRest = "1";

    /// <summary>What works behind a proxy when it has answered.</summary>
    static readonly string[] LedgerProcesses = ["wallet", "postgres", "rabbitmq"];

    static readonly string Peers = Path.Combine(Folders.Repository, "benchmarks", "Edge", "peers");

    static readonly TimeSpan PinLimit = TimeSpan.FromSeconds(5);
    static readonly Folders Data = new(Path.Combine(Folders.DefaultData, "bench"));
    static readonly PortBlock Ports = new(Base);

    /// <summary>The one that takes ten minutes and says nothing of speed runs only when it is asked for.</summary>
    static readonly (string Name, bool ByDefault, Func<string[], CancellationToken, Task<ExitCode>> RunAsync)[] Benches =
    [
        ("ledger", true, LedgerAsync),
        ("edge", true, EdgeAsync),
        ("soak", false, (options, token) => EdgeAsync(["soak", .. options], token)),
    ];

    public static async Task<ExitCode> ExecuteAsync(Arguments arguments)
    {
        var chosen = Benches.Where(bench => arguments.Operand is null ? bench.ByDefault : bench.Name == arguments.Operand).ToList();
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
        var gateway = new
        {
            Assembly = plan.Arguments[0],
            plan.Environment,
            Redis = Redis.Connection(Ports, Secrets.LoadOrCreate(Data.Secrets)),
            Ledger = LedgerProcesses.Select(name => stack.State.Require(name).Pid),
            Peers = await InstallPeersAsync(token) ? Peers : null,
        };
        var done = await RunAsync("Edge", options, new() { ["BENCH_GATEWAY"] = JsonSerializer.Serialize(gateway, JsonSerializerOptions.Web) }, token);
        return done == ExitCode.Ok ? await VerifyAsync(stack.State) : done;
    }

    /// <summary>The books must balance when the ledger has worked off what the load has left it.</summary>
    static async Task<ExitCode> VerifyAsync(StackState state)
    {
        var clock = Stopwatch.StartNew();
        var code = await Verify.VerifyAsync(state);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"The books {(code == ExitCode.Ok ? "balance" : "do not balance")}, {clock.Elapsed.TotalSeconds:F1} s after the last run."));
        return code;
    }

    /// <summary>Gateways of others, from npm; without them only their rows are missing.</summary>
    static async Task<bool> InstallPeersAsync(CancellationToken token)
    {
        if (!OneShot.Exists("npm") || !OneShot.Exists("node"))
        {
            Console.WriteLine("npm is not installed; the rows of Portkey are left out.");
            return false;
        }
        // npm writes this file last; it is older than the lock file when packages have changed since.
        if (File.GetLastWriteTimeUtc(Path.Combine(Peers, "node_modules", ".package-lock.json")) >= File.GetLastWriteTimeUtc(Path.Combine(Peers, "package-lock.json"))
            || await OneShot.RunVisiblyAsync("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"], token, folder: Peers) == 0)
            return true;
        Console.WriteLine($"npm ci failed in {Peers}; the rows of Portkey are left out.");
        return false;
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
