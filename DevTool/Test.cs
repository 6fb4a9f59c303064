using System.Diagnostics;

namespace LlmGateway.DevTool;

/// <summary>
/// <c>./dev test</c>: rules without servers, then everything against stacks of real servers, each of which ends with its books proved.
/// </summary>
static class Test
{
    const string Unit = "Unit", EndToEnd = "EndToEnd", Faults = "Faults";

    static readonly string Clients = Path.Combine(StackFolder.Repository, "tests", EndToEnd, "clients");

    public static async Task<int> ExecuteAsync(string? filter, CancellationToken token)
    {
        TestRun total;
        try
        {
            total = await RunAsync(filter, token);
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
        await PhaseAsync("install and build", async () =>
        {
            await Installation.PrepareAllAsync(token);
            await Installation.EnsureClientsAsync(token);
            foreach (var folder in (string[])["", "agents", "stripe", "elements"])
                if (!await Installation.InstallPackagesAsync(Path.Combine(Clients, folder), token))
                    throw new Failure(ExitCode.Unavailable, $"npm ci failed in {Path.Combine(Clients, folder)}");
            return true;
        });
        var total = await PhaseAsync("unit tests", () => TestRun.OfAsync(Unit, filter, [], token));
        // Last comes what leaves no process alive.
        foreach (var project in (string[])[EndToEnd, Faults])
            if (filter is null || await TestRun.CountAsync(project, filter) > 0)
                total += await PhaseAsync($"{project} tests", () => TestRun.OfAsync(project, filter, [], token));
        return total;
    }

    static async Task<T> PhaseAsync<T>(string name, Func<Task<T>> work)
    {
        Console.WriteLine($"== {name}");
        var clock = Stopwatch.StartNew();
        var result = await work();
        Console.WriteLine($"== {name}: {clock.Elapsed.TotalSeconds:F1} s\n");
        return result;
    }
}
