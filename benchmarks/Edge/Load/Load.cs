using System.Diagnostics;
using System.Globalization;

namespace LlmGateway.Edge;

/// <summary>
/// What one run of a load reports. Times are microseconds. Latencies are a closed loop's, without correction for coordinated omission; of
/// paced streams they are those of the first event.
/// </summary>
/// <param name="Events">Of paced streams: received as they were sent.</param>
/// <param name="Lost">Of paced streams: events that were not.</param>
sealed record LoadResult(long Requests, long Micros, long P50, long P99, long Events, long Lost);

/// <summary>One measured run, or the medians of several.</summary>
/// <param name="CpuPerRequest">
/// Microseconds of user and system time of the proxy, until it was at rest again: what it does after its answers belongs to them.
/// </param>
/// <param name="Cores">Of the proxy during the run; below <see cref="IsLimit"/>'s bound something else was the limit.</param>
/// <param name="Foreign">Part of the proxy's core that other processes took; NaN where the load shares the core.</param>
/// <param name="CoreSpeed">
/// Of the proxy's core, before or after the run, whichever was lower, see <see cref="Edge.CoreSpeed"/>; NaN where the load shares the core.
/// </param>
/// <param name="DrainSeconds">From the end of the load until the ledger behind the proxy was at rest; NaN when there is none.</param>
sealed record Sample(
    double PerSecond, double CpuPerRequest, double P50, double P99, double Cores, double Foreign, double CoreSpeed, double Megabytes,
    double DrainSeconds, double Events, double CpuPerEvent, double Lost)
{
    /// <summary>Whether the proxy itself was the limit of its throughput.</summary>
    public bool IsLimit => Cores >= 0.95;

    /// <summary>Each figure's own median; of lost events the sum, for none may be.</summary>
    public static Sample Median(IReadOnlyList<Sample> samples)
    {
        return new(
            Of(sample => sample.PerSecond), Of(sample => sample.CpuPerRequest), Of(sample => sample.P50), Of(sample => sample.P99),
            Of(sample => sample.Cores), Of(sample => sample.Foreign), Of(sample => sample.CoreSpeed), Of(sample => sample.Megabytes),
            Of(sample => sample.DrainSeconds), Of(sample => sample.Events), Of(sample => sample.CpuPerEvent),
            samples.Sum(sample => sample.Lost));

        double Of(Func<Sample, double> figure) => samples.Select(figure).Order().ElementAt(samples.Count / 2);
    }
}

/// <summary>A run that says nothing, because requests failed in it.</summary>
sealed class LoadFailedException(string message) : Exception(message);

/// <summary>The load, on the core that the proxies do not have.</summary>
static class Load
{
    static readonly TimeSpan RestWithin = TimeSpan.FromSeconds(60), RestWindow = TimeSpan.FromMilliseconds(300);

    /// <summary>Idle processes of ours use less.</summary>
    const double RestCores = 0.08;

    public static async Task<Sample> MeasureAsync(Target target, Scenario scenario, int seconds)
    {
        if (target.Behind is not null)
            await target.Behind.YieldAsync();
        using var neighbour = scenario.Beside && target.Behind is null ? new Neighbour() : null;
        var speed = CoreSpeed.Measure();
        var (cpu, core, clock) = (target.Cpu(), Cores.Busy(Cores.UnderTest), Stopwatch.GetTimestamp());
        var result = await RunAsync(target, scenario, seconds);
        var (elapsed, end) = (Stopwatch.GetElapsedTime(clock), Stopwatch.GetTimestamp());
        var (during, coreDuring) = (target.Cpu() - cpu, Cores.Busy(Cores.UnderTest) - core);
        await RestAsync(target.Cpu);
        var total = (target.Cpu() - cpu).TotalMicroseconds;
        speed = Math.Min(speed, CoreSpeed.Measure());
        if (target.Behind is not null)
            await RestAsync(target.Behind.Cpu);
        return new(
            result.Requests / (result.Micros / 1e6), total / result.Requests, result.P50, result.P99, during / elapsed,
            target.Core == Cores.UnderTest ? (coreDuring - during) / elapsed : double.NaN,
            target.Core == Cores.UnderTest ? speed : double.NaN, target.ResidentBytes() / 1e6,
            target.Behind is null ? double.NaN : Stopwatch.GetElapsedTime(end).TotalSeconds,
            result.Events, result.Events == 0 ? double.NaN : total / result.Events, result.Lost);
    }

    /// <summary>Throws <see cref="LoadFailedException"/> when any answer was not a 2xx, or there was none.</summary>
    public static async Task<LoadResult> RunAsync(Target target, Scenario scenario, int seconds)
    {
        var command = scenario.Paced ? Paced(target, scenario, seconds) : Wrk(target, scenario, seconds);
        var info = new ProcessStartInfo("taskset", ["-c", $"{Cores.OfTheRest}", .. command]) { RedirectStandardOutput = true };
        (info.Environment["BODY"], info.Environment["KEY"]) = (scenario.BodyFile, scenario.Key ?? target.Key);
        info.Environment["HEADERS"] = target.Headers;
        using var load = Process.Start(info)!;
        var output = await load.StandardOutput.ReadToEndAsync();
        await load.WaitForExitAsync();
        var line = output.Split('\n').FirstOrDefault(line => line.StartsWith("RESULT ", StringComparison.Ordinal))
            ?? throw new LoadFailedException(
                $"{target.Name}, {scenario.Name}: the load printed no result: {output}; the proxy last said: {target.LastWords}");
        long[] numbers = [.. line.Split(' ').Skip(1).Select(number => long.Parse(number, CultureInfo.InvariantCulture))];
        // A proxy that refuses looks fast.
        if (numbers is not [> 0, _, _, _, 0, ..])
            throw new LoadFailedException($"{target.Name}, {scenario.Name}, {scenario.Connections} connections: "
                + $"{numbers[0]} requests answered, {numbers[4]} failed; it last said: {target.LastWords}");
        return numbers is [_, _, _, _, _, var events, var lost]
            ? new(numbers[0], numbers[1], numbers[2], numbers[3], events, lost)
            : new(numbers[0], numbers[1], numbers[2], numbers[3], 0, 0);
    }

    /// <summary>Waits until what goes on in the background is done, so that it does not slow the next one.</summary>
    /// <param name="cpu">Time used so far.</param>
    public static async Task RestAsync(Func<TimeSpan> cpu)
    {
        for (var end = DateTime.UtcNow + RestWithin; DateTime.UtcNow < end;)
        {
            var (before, clock) = (cpu(), Stopwatch.GetTimestamp());
            await Task.Delay(RestWindow);
            if ((cpu() - before) / Stopwatch.GetElapsedTime(clock) < RestCores)
                return;
        }
    }

    static string[] Wrk(Target target, Scenario scenario, int seconds) =>
    [
        "wrk", "-t1", $"-c{scenario.Connections}", $"-d{seconds}s", "--timeout", "10s",
        "-s", Path.Combine(AppContext.BaseDirectory, "request.lua"), $"http://127.0.0.1:{target.Port}{scenario.Path}",
    ];

    static string[] Paced(Target target, Scenario scenario, int seconds) =>
        ["dotnet", Rig.Self, "paced", $"{target.Port}", $"{scenario.Connections}", $"{seconds}"];
}
