using System.Diagnostics;
using System.Globalization;

namespace LlmGateway.Edge;

/// <summary>What is posted, over how many connections.</summary>
sealed record Scenario(string Name, string BodyFile, int Connections)
{
    /// <summary>Writes the bodies that the scenarios post.</summary>
    public static IReadOnlyList<Scenario> Prepare(string folder)
    {
        var json = Write("json", "", "Say something short about proxies.");
        var stream = Write("stream", "\"stream\":true,\"stream_options\":{\"include_usage\":true},", "Say something short about proxies.");
        var large = Write("large", "", string.Join(' ', Enumerable.Repeat("a document that is summarised", 256 * 1024 / 30)));
        return [new("1 KB JSON", json, 1), new("1 KB JSON", json, 32), new("1 KB JSON", json, 256), new("256 KB request", large, 32), new("SSE burst", stream, 32)];

        string Write(string name, string options, string prompt)
        {
            var path = Path.Combine(folder, $"{name}.json");
            File.WriteAllText(path, $$"""{"model":"bench",{{options}}"max_tokens":256,"messages":[{"role":"user","content":"{{prompt}}"}]}""");
            return path;
        }
    }
}

/// <summary>One run. Times are microseconds; latencies are a closed loop's, without correction for coordinated omission.</summary>
/// <param name="CpuPerRequest">User and system time of the proxy, until it was at rest again: what it does after its answers belongs to them.</param>
/// <param name="Cores">Of the proxy during the run; below 0.95 something else was the limit.</param>
/// <param name="Foreign">Part of the proxy's core that other processes took.</param>
sealed record Sample(double PerSecond, double CpuPerRequest, long P50, long P99, double Cores, double Foreign, long ResidentBytes);

/// <summary><c>wrk</c> on the core that the proxies do not have.</summary>
static class Load
{
    static readonly TimeSpan RestWithin = TimeSpan.FromSeconds(60), RestWindow = TimeSpan.FromMilliseconds(300);
    const double RestCores = 0.08;

    public static async Task<Sample> MeasureAsync(Target target, Scenario scenario, int seconds)
    {
        var (cpu, core, clock) = (target.Cpu(), Cores.Busy(Cores.UnderTest), Stopwatch.GetTimestamp());
        var (requests, micros, p50, p99) = await RunAsync(target, scenario, seconds);
        var elapsed = Stopwatch.GetElapsedTime(clock);
        var (during, coreDuring) = (target.Cpu() - cpu, Cores.Busy(Cores.UnderTest) - core);
        await RestAsync(target);
        return new(requests / (micros / 1e6), (target.Cpu() - cpu).TotalMicroseconds / requests, p50, p99,
            during / elapsed, (coreDuring - during) / elapsed, target.ResidentBytes());
    }

    /// <returns>Requests, duration and latencies in microseconds.</returns>
    public static async Task<(long Requests, long Micros, long P50, long P99)> RunAsync(Target target, Scenario scenario, int seconds)
    {
        var info = new ProcessStartInfo("taskset",
        [
            "-c", $"{Cores.OfTheRest}", "wrk", "-t1", $"-c{scenario.Connections}", $"-d{seconds}s", "--timeout", "10s",
            "-s", Path.Combine(AppContext.BaseDirectory, "post.lua"), $"http://127.0.0.1:{target.Port}/v1/chat/completions",
        ])
        { RedirectStandardOutput = true };
        info.Environment["BODY"] = scenario.BodyFile;
        info.Environment["KEY"] = target.Key;
        using var wrk = Process.Start(info)!;
        var output = await wrk.StandardOutput.ReadToEndAsync();
        await wrk.WaitForExitAsync();
        var result = output.Split('\n').FirstOrDefault(line => line.StartsWith("RESULT ", StringComparison.Ordinal))
            ?? throw new InvalidOperationException($"wrk printed no result: {output}");
        long[] numbers = [.. result.Split(' ').Skip(1).Select(number => long.Parse(number, CultureInfo.InvariantCulture))];
        // A proxy that refuses looks fast.
        if (numbers is not [> 0, _, _, _, 0])
            throw new InvalidOperationException($"{target.Name}, {scenario.Name}, {scenario.Connections} connections: {numbers[4]} of {numbers[0]} requests failed");
        return (numbers[0], numbers[1], numbers[2], numbers[3]);
    }

    /// <summary>Waits until what a proxy does in the background is done, so that it does not slow the next one.</summary>
    public static async Task RestAsync(Target target)
    {
        for (var end = DateTime.UtcNow + RestWithin; DateTime.UtcNow < end;)
        {
            var (cpu, clock) = (target.Cpu(), Stopwatch.GetTimestamp());
            await Task.Delay(RestWindow);
            if ((target.Cpu() - cpu) / Stopwatch.GetElapsedTime(clock) < RestCores)
                return;
        }
    }
}
