using System.Diagnostics;
using System.Globalization;

namespace LlmGateway.EndToEnd;

/// <summary>A process that is down, or hangs, until this is disposed; then it is back and everything is healthy.</summary>
sealed class Outage : IAsyncDisposable
{
    static readonly TimeSpan Recovery = TimeSpan.FromSeconds(60);

    readonly Func<Task> _end;

    Outage(Func<Task> end) => _end = end;

    /// <summary>Down: connections are refused.</summary>
    public static async Task<Outage> StopAsync(string name)
    {
        var hold = Path.Combine(Stack.Held, name);
        Directory.CreateDirectory(Stack.Held);
        await File.WriteAllTextAsync(hold, "");
        var process = Stack.ProcessId(name)!.Value;
        // PostgreSQL's fast shutdown; everything else ends as if the power failed.
        await SignalAsync(name == "postgres" ? "INT" : "KILL", process);
        await Eventually.HoldsAsync(() => Task.FromResult(!IsRunning(process)), $"the end of {name}", Recovery);
        Books.ForgetConnections();
        return new(() =>
        {
            File.Delete(hold);
            return WaitForAnotherAsync(name, process);
        });
    }

    /// <summary>Accepts connections and says nothing.</summary>
    public static async Task<Outage> FreezeAsync(string name)
    {
        var process = Stack.ProcessId(name)!.Value;
        await SignalAsync("STOP", process);
        return new(() => SignalAsync("CONT", process));
    }

    /// <summary>Ends a process without a word of warning, and waits for the one that takes its place.</summary>
    public static async Task KillAsync(string name)
    {
        var process = Stack.ProcessId(name)!.Value;
        await SignalAsync("KILL", process);
        await WaitForAnotherAsync(name, process);
        await WaitUntilAllIsHealthyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _end();
        await WaitUntilAllIsHealthyAsync();
    }

    public static async Task WaitUntilAllIsHealthyAsync()
    {
        foreach (var service in Stack.Services)
            await Eventually.HoldsAsync(() => IsHealthyAsync(service), $"the health of {service}", Recovery);
    }

    static Task WaitForAnotherAsync(string name, int process) =>
        Eventually.HoldsAsync(() => Task.FromResult(Stack.ProcessId(name) is { } now && now != process), $"another process for {name}", Recovery);

    static async Task<bool> IsHealthyAsync(Uri service)
    {
        try
        {
            return (await Gateway.SendAsync("GET", "/health", at: service)).Status == 200;
        }
        catch (HttpRequestException)
        {
            return false;
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

    /// <summary>To the process and what it has started: each leads a group of its own.</summary>
    static async Task SignalAsync(string signal, int process)
    {
        var group = signal == "INT" ? "" : "-";
        using var kill = Process.Start("kill", [$"-{signal}", "--", group + process.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }
}
