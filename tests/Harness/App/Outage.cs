using System.Diagnostics;
using System.Globalization;

namespace LlmGateway.Harness;

/// <summary>A process that is down or hangs. After disposal it is back and everything is healthy.</summary>
sealed class Outage : IAsyncDisposable
{
    static readonly TimeSpan Recovery = TimeSpan.FromSeconds(90);

    readonly Func<Task> _end;

    Outage(Func<Task> end) => _end = end;

    /// <summary>Stops a process, so that connections are refused.</summary>
    public static async Task<Outage> StopAsync(string name)
    {
        Stack.App.Hold(name);
        var process = Stack.ProcessId(name)!.Value;
        // PostgreSQL's fast shutdown; everything else ends as if the power failed. Whoever has just died of something else is stopped.
        await TrySignalAsync(name == "postgres" ? "INT" : "KILL", process);
        await Eventually.HoldsAsync(() => Task.FromResult(!IsRunning(process)), $"the end of {name}", Recovery);
        Books.ForgetConnections();
        return new(async () =>
        {
            await Stack.App.ReleaseAsync(name);
            await WaitForAnotherAsync(name, process);
        });
    }

    /// <summary>Stops a process, which then accepts connections and does not answer.</summary>
    public static async Task<Outage> FreezeAsync(string name)
    {
        var process = Stack.ProcessId(name)!.Value;
        await SignalAsync("STOP", process);
        return new(() => SignalAsync("CONT", process));
    }

    /// <summary>Kills a service and waits until its successor serves.</summary>
    public static async Task KillAsync(string name)
    {
        var process = Stack.ProcessId(name)!.Value;
        await SignalAsync("KILL", process);
        await WaitForAnotherAsync(name, process);
        await Eventually.HoldsAsync(
            async () => await HealthAsync(Stack.Url(name)) is { Status: 200 },
            $"the readiness of {name}",
            Recovery);
    }

    public async ValueTask DisposeAsync()
    {
        await _end();
        await WaitUntilAllIsHealthyAsync();
    }

    /// <summary>Waits for "Healthy": a service that still waits for the broker answers 200 with "Degraded".</summary>
    public static async Task WaitUntilAllIsHealthyAsync()
    {
        foreach (var service in Stack.Services)
            await Eventually.HoldsAsync(
                async () => (await HealthAsync(service))?.Text.Contains("Healthy", StringComparison.Ordinal) == true,
                $"the health of {service}",
                Recovery);
    }

    static Task WaitForAnotherAsync(string name, int process) =>
        Eventually.HoldsAsync(
            () => Task.FromResult(Stack.ProcessId(name) is { } now && now != process),
            $"another process for {name}",
            Recovery);

    public static async Task<Reply?> HealthAsync(Uri service)
    {
        try
        {
            return await Gateway.SendAsync("GET", "/health", at: service);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    static bool IsRunning(int process)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    static async Task SignalAsync(string signal, int process) => Assert.True(await TrySignalAsync(signal, process));

    /// <returns>False when the process is gone.</returns>
    public static async Task<bool> TrySignalAsync(string signal, int process)
    {
        var order = new ProcessStartInfo("kill", [$"-{signal}", process.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardError = true,
        };
        using var kill = Process.Start(order)!;
        await kill.WaitForExitAsync();
        return kill.ExitCode == 0;
    }
}
