using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace LlmGateway.Edge;

/// <summary>The one-core layout: a proxy has a core to itself; load, provider, ledger and servers share the other one.</summary>
static class Cores
{
    public const int UnderTest = 0, OfTheRest = 1;

    /// <summary>Clock ticks of /proc are hundredths of a second on every Linux that .NET supports.</summary>
    public static TimeSpan Ticks(string field) => TimeSpan.FromMilliseconds(10 * long.Parse(field, CultureInfo.InvariantCulture));

    /// <summary>User, nice, system, interrupts of one core since the machine was started.</summary>
    public static TimeSpan Busy(int core)
    {
        var fields = File.ReadLines("/proc/stat").First(line => line.StartsWith($"cpu{core} ", StringComparison.Ordinal)).Split(' ');
        return Ticks(fields[1]) + Ticks(fields[2]) + Ticks(fields[3]) + Ticks(fields[6]) + Ticks(fields[7]);
    }
}

/// <summary>A proxy under test, or the provider behind them: a process of ours that listens on loopback and is stopped with us.</summary>
sealed class Target : IAsyncDisposable
{
    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30), StopLimit = TimeSpan.FromSeconds(15);

    readonly Process _process;

    Target(string name, int port, string key, Process process) => (Name, Port, Key, _process) = (name, port, key, process);

    public string Name { get; }
    public int Port { get; }

    /// <summary>What callers send as their credential.</summary>
    public string Key { get; }

    /// <summary>The same process for callers with another credential.</summary>
    public Target For(string name, string key) => new(name, Port, key, _process);

    public static async Task<Target> StartAsync(string name, int core, int port, string key, string[] command, params (string Name, string Value)[] environment)
    {
        var info = new ProcessStartInfo("taskset", ["-c", $"{core}", .. command]) { RedirectStandardOutput = true };
        foreach (var (variable, value) in environment)
            info.Environment[variable] = value;
        var process = Process.Start(info)!;
        // Read and dropped: nobody's log may fill a pipe and stop its writer.
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        var target = new Target(name, port, key, process);
        for (var end = DateTime.UtcNow + StartLimit; DateTime.UtcNow < end && !process.HasExited; await Task.Delay(100))
            if (await ListensAsync(port))
                return target;
        await target.DisposeAsync();
        throw new InvalidOperationException($"{name} does not listen on port {port}");
    }

    public TimeSpan Cpu()
    {
        var stat = File.ReadAllText($"/proc/{_process.Id}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return Cores.Ticks(fields[11]) + Cores.Ticks(fields[12]);
    }

    public long ResidentBytes()
    {
        var line = File.ReadLines($"/proc/{_process.Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024 * long.Parse(line["VmRSS:".Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            using var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
            await kill.WaitForExitAsync();
            using var limit = new CancellationTokenSource(StopLimit);
            try
            {
                await _process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
            }
        }
        _process.Dispose();
    }

    static async Task<bool> ListensAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
