using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace LlmGateway.Edge;

/// <summary>
/// What one request costs a proxy in things that can be counted, so that small changes show in them. Bytes are the same on a busy machine
/// and a quiet one. On a busy one a thread finds fewer events each time it waits for some, and there are more waits and wake-ups. A figure
/// is NaN where it cannot be had.
/// </summary>
/// <param name="Bytes">Allocated on the managed heap.</param>
/// <param name="SystemCalls">Without the waits for events.</param>
/// <param name="WakeUps">Threads that the proxy has woken: its own, the load's, the provider's, the broker's.</param>
sealed record Counts(double Bytes, double SystemCalls, double Waits, double PageFaults, double WakeUps)
{
    /// <summary>Requests without which what a proxy does by the clock would count for much.</summary>
    const int Enough = 50_000;

    /// <summary>On a busy machine enough requests may not come in any time.</summary>
    const int MostRuns = 10;

    /// <summary>Runs of their own, because counting system calls costs the proxy time.</summary>
    public static async Task<Counts> OfRunsAsync(Target target, Scenario scenario, int seconds)
    {
        if (target.Behind is not null)
            await target.Behind.YieldAsync();
        var (bytes, faults) = (StartupHook.AllocatedBytes(target.Id), target.PageFaults());
        using var kernel = await KernelEvents.CountAsync(target.Id);
        var requests = 0.0;
        for (var run = 0; run < MostRuns && requests < Enough; run++)
            requests += (await Load.RunAsync(target, scenario, seconds)).Requests;
        await Load.RestAsync(target.Cpu);
        // A proxy that waits for its broker only seems to be at rest.
        if (target.Behind is not null)
            await Load.RestAsync(target.Behind.Cpu);
        var events = await kernel.StopAsync();
        (bytes, faults) = (StartupHook.AllocatedBytes(target.Id) - bytes, target.PageFaults() - faults);
        var waits = events(KernelEvents.Waits);
        return new(
            bytes / requests, (events(KernelEvents.SystemCalls) - waits) / requests, waits / requests, faults / requests,
            events(KernelEvents.WakeUps) / requests);
    }
}

/// <summary>Counts what the kernel does for a process, with <c>perf stat</c>.</summary>
sealed class KernelEvents : IDisposable
{
    /// <summary>Names of perf's, as far as all that is meant have them in common: there is <c>epoll_pwait</c>, too.</summary>
    public const string SystemCalls = "raw_syscalls:sys_enter", Waits = "syscalls:sys_enter_epoll_", WakeUps = "sched:sched_waking";

    readonly Process? _perf;
    readonly Task<string> _output = Task.FromResult("");

    KernelEvents()
    {
    }

    KernelEvents(Process perf) => (_perf, _output) = (perf, perf.StandardError.ReadToEndAsync());

    /// <summary>Why there are no figures; null when there are, or when nobody has asked.</summary>
    public static string? WhyNot { get; private set; }

    /// <summary>Counts from when it returns.</summary>
    public static async Task<KernelEvents> CountAsync(int process)
    {
        try
        {
            // perf runs the command when it has begun to count, and ends when the command does, which is when its input ends.
            string[] command = ["sh", "-c", "echo counting; exec cat"];
            string[] arguments = ["stat", "-x", ",", "-e", $"{SystemCalls},{Waits}*wait,{WakeUps}", "-p", $"{process}", "--", .. command];
            var perf = Process.Start(new ProcessStartInfo("perf", arguments)
            {
                RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            })!;
            await perf.StandardOutput.ReadLineAsync();
            return new(perf);
        }
        catch (Win32Exception)
        {
            WhyNot = "perf is not installed";
            return new();
        }
    }

    /// <returns>The count of the events whose name begins so.</returns>
    public async Task<Func<string, double>> StopAsync()
    {
        _perf?.StandardInput.Close();
        var output = await _output;
        // Lines of VALUE,UNIT,EVENT and more.
        var lines = output.Split('\n').Select(line => line.Split(',')).Where(fields => fields.Length > 2);
        var counts = lines.Select(fields => (Event: fields[2], Count: Number(fields[0]))).ToList();
        if (_perf is not null && double.IsNaN(Of(SystemCalls) + Of(Waits) + Of(WakeUps)))
            WhyNot = $"perf cannot count here: {Reason(output)}";
        return Of;

        double Of(string start) => counts.Where(line => line.Event.StartsWith(start, StringComparison.Ordinal))
            .Select(line => line.Count).DefaultIfEmpty(double.NaN).Sum();

        // No thread has run in between, so nothing has happened.
        double Number(string text) =>
            text == "<not counted>" ? 0 : double.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : double.NaN;
    }

    public void Dispose() => _perf?.Dispose();

    /// <summary>perf says it in the line that it begins with "Error:", or in the next one, or in its first.</summary>
    static string? Reason(string output)
    {
        var lines = output.Split('\n').Where(line => line is not ("" or "Error:")).ToList();
        return lines.Find(line => line.StartsWith("Error:", StringComparison.Ordinal)) ?? lines.FirstOrDefault();
    }
}
