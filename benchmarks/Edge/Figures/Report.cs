using System.Globalization;

namespace LlmGateway.Edge;

/// <summary>The medians of all rows.</summary>
sealed class Results
{
    readonly Dictionary<(Scenario Scenario, string Target), Sample> _samples = [];

    public Sample this[Scenario scenario, string target] { set => _samples[(scenario, target)] = value; }

    /// <summary>Null when the proxy did not take part.</summary>
    public Sample? Find(Scenario scenario, string target) => _samples.GetValueOrDefault((scenario, target));

    public Sample Of(Scenario scenario, string target) => _samples[(scenario, target)];

    /// <summary>
    /// Largest part of a proxy's core that others took, with one connection left out: a proxy that waits leaves its core to them.
    /// </summary>
    public double MostForeign =>
        _samples.Where(row => row.Key.Scenario.Connections > 1 && !double.IsNaN(row.Value.Foreign)).Max(row => row.Value.Foreign);
}

/// <summary>Everything that was measured, as Markdown, ratios last.</summary>
static class Report
{
    const string Absent = "–", NotAvailable = "n/a";

    public static void PrintHead()
    {
        Console.WriteLine("| scenario | connections | proxy | requests/s | CPU µs/request | p50 ms | p99 ms "
            + "| cores | foreign | core speed | MB | drain s | requests/s ÷ YARP | CPU ÷ YARP | p50 ÷ YARP | requests/s ÷ nginx |");
        Console.WriteLine("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    }

    public static void Print(Results results, Scenario scenario)
    {
        var (yarp, nginx) = (results.Find(scenario, Rig.Yarp), results.Find(scenario, Rig.Nginx));
        foreach (var name in scenario.Targets)
        {
            if (results.Find(scenario, name) is not { } sample)
                continue;
            // Of a proxy that is not the limit the CPU ratio says something, its throughput does not.
            var mark = sample.IsLimit || name == Rig.Direct || scenario.Connections == 1 ? "" : "*";
            Console.WriteLine($"| {scenario.Name} | {scenario.Connections} | {name} | {Text(sample.PerSecond, "F0")}{mark} "
                + $"| {Text(sample.CpuPerRequest, "F1")} | {Text(sample.P50 / 1e3)} | {Text(sample.P99 / 1e3)} | {Machine(sample)} "
                + $"| {Text(sample.PerSecond / yarp?.PerSecond)}{(yarp is null ? "" : mark)} "
                + $"| {Text(sample.CpuPerRequest / yarp?.CpuPerRequest)} | {Text(sample.P50 / yarp?.P50)} "
                + $"| {Text(sample.PerSecond / nginx?.PerSecond)}{(nginx is null ? "" : mark)} |");
        }
    }

    public static void PrintPaced(Results results, Scenario scenario)
    {
        var yarp = results.Of(scenario, Rig.Yarp);
        Console.WriteLine("\n\\* used less than 0.95 of its core: not the limit, so only its CPU says something.");
        var pace = MockProvider.Pace.TotalMilliseconds;
        Console.WriteLine($"\n{scenario.Connections} streams of {Answers.Events} events, one every {pace:F0} ms\n");
        Console.WriteLine("| proxy | streams/s | events | events lost | CPU µs/event | first event p50 ms | p99 ms "
            + "| cores | foreign | core speed | MB | drain s | CPU per event ÷ YARP |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var name in scenario.Targets)
            if (results.Find(scenario, name) is { } sample)
                Console.WriteLine($"| {name} | {Text(sample.PerSecond, "F1")} | {Text(sample.Events, "F0")} | {Text(sample.Lost, "F0")} "
                    + $"| {Text(sample.CpuPerEvent, "F1")} | {Text(sample.P50 / 1e3)} | {Text(sample.P99 / 1e3)} | {Machine(sample)} "
                    + $"| {Text(sample.CpuPerEvent / yarp.CpuPerEvent)} |");
    }

    /// <param name="counts">Of each proxy, in the order of the connections.</param>
    public static void PrintCounts(List<(string Name, Counts[] Counts)> counts)
    {
        var names = string.Join(" | ", counts.Select(proxy => proxy.Name));
        Console.WriteLine($"\n| counted per request, 1 KB JSON, 32 / 256 connections | {names} |");
        Console.WriteLine($"|---|{string.Concat(counts.Select(_ => "---:|"))}");
        Row("bytes allocated", count => count.Bytes, "F0");
        Row("system calls, without waits for events", count => count.SystemCalls, "F2");
        Row("waits for events", count => count.Waits, "F2");
        Row("page faults", count => count.PageFaults, "F3");
        Row("wake-ups sent", count => count.WakeUps, "F2");
        if (KernelEvents.WhyNot is { } reason)
            Console.WriteLine($"\n{NotAvailable}: {reason}");

        void Row(string what, Func<Counts, double> figure, string format)
        {
            var cells = counts.Select(proxy => string.Join(" / ", proxy.Counts.Select(count => Text(figure(count), format, NotAvailable))));
            Console.WriteLine($"| {what} | {string.Join(" | ", cells)} |");
        }
    }

    public static string Text(double? figure, string format = "F2", string absent = Absent) =>
        figure is not { } number || double.IsNaN(number) ? absent : number.ToString(format, CultureInfo.InvariantCulture);

    static string Machine(Sample sample) => $"{Text(sample.Cores)} | {Text(sample.Foreign)} | {Text(CoreSpeed.OfBest(sample.CoreSpeed))} "
        + $"| {Text(sample.Megabytes, "F0")} | {Text(sample.DrainSeconds, "F1")}";
}
