using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace LlmGateway.Edge;

/// <summary>The one-core layout: a proxy has a core to itself; load, provider, ledger and servers share the other one.</summary>
static class Cores
{
    public const int UnderTest = 0, OfTheRest = 1;

    /// <summary>Clock ticks of /proc are hundredths of a second on every Linux that .NET supports.</summary>
    public static TimeSpan Ticks(long count) => TimeSpan.FromMilliseconds(10 * count);

    /// <summary>User, nice, system, interrupts.</summary>
    static readonly int[] BusyFields = [1, 2, 3, 6, 7];

    /// <summary>Time that one core has worked since the machine was started.</summary>
    public static TimeSpan Busy(int core)
    {
        var fields = File.ReadLines("/proc/stat").First(line => line.StartsWith($"cpu{core} ", StringComparison.Ordinal)).Split(' ');
        return Ticks(BusyFields.Sum(field => long.Parse(fields[field], CultureInfo.InvariantCulture)));
    }
}

/// <summary>A proxy under test, or the provider behind them: a process of ours that listens on loopback and is stopped with us.</summary>
sealed class Target : IAsyncDisposable
{
    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30), StopLimit = TimeSpan.FromSeconds(15);

    readonly Process _process;

    Target(string name, int core, int port, Process process) => (Name, Core, Port, _process) = (name, core, port, process);

    public int Id => _process.Id;
    public string Name { get; }
    public int Core { get; }
    public int Port { get; }

    /// <summary>What callers send as their credential.</summary>
    public string Key { get; private init; } = "";

    /// <summary>What callers send beside it, a line each.</summary>
    public string Headers { get; private init; } = "";

    /// <summary>The last line of its log; all is read, because a full pipe would stop its writer.</summary>
    public string LastWords { get; private set; } = "nothing";

    /// <summary>What is still at work when it has answered.</summary>
    public Ledger? Behind { get; private init; }

    public static async Task<Target> StartAsync(
        string name, int core, int port, string key, string[] command,
        Dictionary<string, string>? environment = null, string headers = "", Ledger? behind = null)
    {
        if (await ListensAsync(port))
            throw new InvalidOperationException($"port {port} ({name}) is taken; stop what listens there");
        var info = new ProcessStartInfo("taskset", ["-c", $"{core}", .. command])
        {
            RedirectStandardOutput = true, WorkingDirectory = AppContext.BaseDirectory,
        };
        foreach (var (variable, value) in environment ?? [])
            info.Environment[variable] = value;
        var process = Process.Start(info)!;
        var target = new Target(name, core, port, process) { Key = key, Headers = headers, Behind = behind };
        process.OutputDataReceived += (_, line) => target.LastWords = line.Data ?? target.LastWords;
        process.BeginOutputReadLine();
        for (var end = DateTime.UtcNow + StartLimit; DateTime.UtcNow < end && !process.HasExited; await Task.Delay(100))
            if (await ListensAsync(port))
                return target;
        await target.DisposeAsync();
        throw new InvalidOperationException($"{name} does not listen on port {port}; it last said: {target.LastWords}");
    }

    public TimeSpan Cpu() => Cores.Ticks(Stat().Ticks);

    public long PageFaults() => Stat().PageFaults;

    public long ResidentBytes()
    {
        var line = File.ReadLines($"/proc/{Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
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

    Stat Stat() => Edge.Stat.Read(Id) ?? throw new InvalidOperationException($"{Name} has ended");

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
