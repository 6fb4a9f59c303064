using System.Diagnostics;
using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev test</c>: rules without servers, then everything against a fresh stack of real servers, then the books.</summary>
static class Test
{
    const int Base = 4400;
    const string Unit = "Unit", EndToEnd = "EndToEnd", Faults = "Faults", Books = "verify";

    static readonly Folders Stack = new(Path.Combine(Folders.DefaultData, "test"));
    static readonly string Clients = Path.Combine(Folders.Repository, "tests", EndToEnd, "clients");

    public static async Task<ExitCode> ExecuteAsync(Arguments arguments)
    {
        using var interrupt = new Interrupt();
        var filter = arguments.Operand;
        TestRun total;
        try
        {
            total = await RunAsync(filter, interrupt.Token);
        }
        catch (Failure failure)
        {
            // What stands in the way of the tests is a failed test: the last line says so to whoever counts.
            total = new(0, 1, [failure.Message]);
        }
        foreach (var failure in total.Failures)
            Console.WriteLine($"FAILED {failure}");
        Console.WriteLine($"{total.Passed} passed, {total.Failed} failed");
        return total is { Passed: > 0, Failed: 0 } ? ExitCode.Ok : ExitCode.Failed;
    }

    static async Task<TestRun> RunAsync(string? filter, CancellationToken token)
    {
        var total = await PhaseAsync("unit tests", () => TestRun.OfAsync(Unit, filter, [], token));
        var chosen = new List<string>();
        foreach (var project in (string[])[EndToEnd, Faults])
            if (filter is null || await TestRun.CountAsync(project, filter) > 0)
                chosen.Add(project);
        if (chosen.Count == 0 && filter != Books)
            return total;

        await PhaseAsync("install", () => InstallAsync(token));
        await using var stack = await PhaseAsync("start", () => StartAsync(Stack, new(Base), token));
        // Last comes what leaves no process alive.
        foreach (var project in chosen)
            total += await PhaseAsync($"{project} tests", () => TestRun.OfAsync(project, filter, new() { ["LLMGATEWAY_STATE"] = Stack.State }, token));
        total += await PhaseAsync(Books, () => VerifyAsync(stack.State));
        return total;
    }

    static async Task<bool> InstallAsync(CancellationToken token)
    {
        await Prerequisites.EnsureServersAsync(token);
        if (!File.Exists(Path.Combine(Clients, "package.json")))
            return false;
        await Prerequisites.EnsureNpmAsync(token);
        // npm writes this file last; it is older than the lock file when dependencies have changed since.
        if (File.GetLastWriteTimeUtc(Path.Combine(Clients, "node_modules", ".package-lock.json")) < File.GetLastWriteTimeUtc(Path.Combine(Clients, "package-lock.json"))
            && await OneShot.RunVisiblyAsync("npm", ["ci", "--no-audit", "--no-fund"], token, folder: Clients) != 0)
            throw new Failure(ExitCode.Unavailable, $"npm ci failed in {Clients}");
        return true;
    }

    /// <summary>A fresh stack with what the tests expect in it.</summary>
    public static Task<Stack> StartAsync(Folders folders, PortBlock ports, CancellationToken token)
    {
        if (StackState.ReadRunning(folders) is not null)
            throw Native.Stack.AlreadyRuns(folders);
        Postgres.Delete(folders);
        if (Directory.Exists(folders.Data))
            Directory.Delete(folders.Data, recursive: true);
        Environment.SetEnvironmentVariable("FAULTS_URL", ports.Url(Topology.Ports.Faults)); // a seed file names it
        string[] seeds = [.. new[] { (EndToEnd, "test"), (EndToEnd, "wires"), (Faults, "faults") }.Select(seed => Path.Combine(Folders.Repository, "tests", seed.Item1, $"{seed.Item2}.seed.json"))];
        return Native.Stack.StartAsync(new(folders, ports, seeds, Dashboard: false), token);
    }

    static async Task<TestRun> VerifyAsync(StackState state) =>
        await Verify.VerifyAsync(state) == ExitCode.Ok ? new(1, 0, []) : new(0, 1, [Books]);

    static async Task<T> PhaseAsync<T>(string name, Func<Task<T>> work)
    {
        Console.WriteLine($"== {name}");
        var clock = Stopwatch.StartNew();
        var result = await work();
        Console.WriteLine($"== {name}: {clock.Elapsed.TotalSeconds:F1} s\n");
        return result;
    }
}
