using System.Globalization;

namespace LlmGateway.Edge;

/// <summary>
/// The same load on each proxy in turn, several times round, so that whatever else the machine does falls on all of them; the median of each is compared.
/// Its own environment is the one that our proxy is to be run with (<c>./dev bench</c> sets it): ports 6003, and 6090 to 6092 for the rest.
/// </summary>
static class Comparison
{
    const int MockPort = 6090, YarpPort = 6091, NginxPort = 6092, GatewayPort = 6003;
    const string Limited = "llm_gw_bench_limited_0123456789_abcdefghijklmnopqrstuvwxyz", Unlimited = "llm_gw_bench_unlimited_0123456789_abcdefghijklmnopqrstuvwxyz";

    public static async Task RunAsync(bool quick)
    {
        var (warm, runs, seconds) = quick ? (8, 1, 3) : (20, 3, 3);
        var self = Path.Combine(AppContext.BaseDirectory, "LlmGateway.Edge.dll");
        var proxy = Environment.GetEnvironmentVariable("BENCH_PROXY") ?? throw new InvalidOperationException("BENCH_PROXY must name the proxy's assembly; use ./dev bench edge");
        var folder = Directory.CreateTempSubdirectory("llmgateway-bench-").FullName;
        var scenarios = Scenario.Prepare(folder);
        try
        {
            await using var mock = await Target.StartAsync("mock", Cores.OfTheRest, MockPort, "", ["dotnet", self, "mock", $"{MockPort}"], ("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1"));
            await using var yarp = await Target.StartAsync("yarp", Cores.UnderTest, YarpPort, Unlimited, ["dotnet", self, "yarp", $"{YarpPort}", $"{MockPort}"]);
            await using var nginx = Nginx.IsInstalled ? await Nginx.StartAsync(folder, NginxPort, MockPort, Unlimited) : null;
            await using var full = await Target.StartAsync("full", Cores.UnderTest, GatewayPort, Limited, ["dotnet", proxy]);
            var open = full.For("full, no limits", Unlimited);

            foreach (var target in (Target[])[yarp, open, full])
                foreach (var (scenario, share) in ((int, int)[])[(1, 1), (4, 4), (3, 4)])
                    await WarmAsync(target, scenarios[scenario], Math.Max(1, warm / share));
            Target[] targets = nginx is null ? [yarp, full, open] : [nginx, yarp, full, open];
            Console.WriteLine(Table.Head);
            foreach (var scenario in scenarios)
                Table.Print(scenario, await MeasureAsync(targets, scenario, runs, seconds));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>.NET compiles what is used often once more while it runs, which takes tens of seconds of load on one core.</summary>
    static async Task WarmAsync(Target target, Scenario scenario, int seconds)
    {
        await Load.RunAsync(target, scenario, seconds);
        await Load.RestAsync(target);
    }

    static async Task<IReadOnlyList<(Target Target, Sample Median)>> MeasureAsync(Target[] targets, Scenario scenario, int runs, int seconds)
    {
        var samples = targets.ToDictionary(target => target, _ => new List<Sample>());
        for (var run = 0; run < runs; run++)
            foreach (var target in targets)
                samples[target].Add(await Load.MeasureAsync(target, scenario, seconds));
        return [.. targets.Select(target => (target, samples[target].OrderBy(sample => sample.PerSecond).ElementAt(runs / 2)))];
    }
}

/// <summary>The result as Markdown, ratios last.</summary>
static class Table
{
    public const string Head = """
        | scenario | connections | proxy | requests/s | CPU µs/request | p50 ms | p99 ms | cores | foreign | MB | requests/s ÷ YARP | CPU ÷ YARP | p50 ÷ YARP | requests/s ÷ nginx |
        |---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
        """;

    public static void Print(Scenario scenario, IReadOnlyList<(Target Target, Sample Median)> rows)
    {
        var yarp = rows.Single(row => row.Target.Name == "yarp").Median;
        var nginx = rows.FirstOrDefault(row => row.Target.Name == "nginx").Median;
        foreach (var (target, sample) in rows)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {scenario.Name} | {scenario.Connections} | {target.Name} | {sample.PerSecond:F0} | {sample.CpuPerRequest:F1} | {sample.P50 / 1e3:F2} | {sample.P99 / 1e3:F2} | {sample.Cores:F2} | {sample.Foreign:F2} | {sample.ResidentBytes / 1e6:F0} | {sample.PerSecond / yarp.PerSecond:F2} | {sample.CpuPerRequest / yarp.CpuPerRequest:F2} | {(double)sample.P50 / yarp.P50:F2} | {(nginx is null ? "–" : (sample.PerSecond / nginx.PerSecond).ToString("F2", CultureInfo.InvariantCulture))} |"));
    }
}
