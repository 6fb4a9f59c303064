using System.Diagnostics;

namespace LlmGateway.Edge;

/// <summary>How long things run.</summary>
/// <param name="RepeatMinutes">How long disturbed runs are repeated: on a busy machine the end must come, too.</param>
sealed record Plan(int WarmSeconds, int Runs, int Seconds, int PacedSeconds, int RepeatMinutes)
{
    public static readonly Plan Thorough = new(60, 3, 5, 6, RepeatMinutes: 12), Quick = new(8, 1, 3, 3, RepeatMinutes: 0);
}

/// <summary>
/// The same load on each proxy in turn, several times round, so that whatever else the machine does falls on all of them; the medians are compared.
/// </summary>
static class Comparison
{
    /// <summary>Part of the proxy's core that others may take; beyond it a run is repeated, and a figure is a hint.</summary>
    public const double MostForeign = 0.05;

    static readonly Stopwatch Clock = Stopwatch.StartNew();

    public static async Task RunAsync(Gateway gateway, bool quick)
    {
        var plan = quick ? Plan.Quick : Plan.Thorough;
        var folder = Directory.CreateTempSubdirectory("llmgateway-bench-").FullName;
        var scenarios = Scenario.Prepare(folder);
        try
        {
            await using var mock = await Rig.StartMockAsync();
            await using var yarp = await Rig.StartYarpAsync();
            await using var nginx = Nginx.IsInstalled ? await Rig.StartNginxAsync(folder) : null;
            await using var portkey = gateway.Peers is { } peers ? await Rig.StartPortkeyAsync(peers) : null;
            await using var ungoverned = await Rig.StartUngovernedAsync(gateway);
            await using var full = await Rig.StartFullAsync(gateway);
            if (nginx is null)
                Console.WriteLine("nginx is not installed; its rows are left out.");

            List<Target> targets = [.. new[] { mock, nginx, yarp, portkey, ungoverned, full }.OfType<Target>()];
            await WarmAsync(targets, scenarios, plan.WarmSeconds);
            var results = await MeasureAsync(targets, scenarios, plan);
            Report.PrintPaced(results, scenarios.Paced);
            var redis = await RoundTripsAsync(gateway, full, scenarios.Json32, plan.Seconds);
            Goals.Print(results, scenarios, redis);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>
    /// .NET compiles what is used often once more while it runs, which takes tens of seconds of load on one core. The ledger's programs, too, so they do not
    /// yield yet; ours is first, so that its ledger can work off what it was left while the others are warmed.
    /// </summary>
    static async Task WarmAsync(List<Target> targets, Scenario.Set scenarios, int seconds)
    {
        (Scenario Scenario, int Tenths)[] mix = [(scenarios.Json32, 6), (scenarios.Large, 1), (scenarios.Burst, 3), (scenarios.Translated, 2)];
        foreach (var target in targets.Where(target => target.Name is Rig.Full or Rig.Ungoverned or Rig.Yarp).OrderByDescending(target => target.Behind is not null))
        {
            foreach (var (scenario, tenths) in mix.Where(part => part.Scenario.Targets.Contains(target.Name)))
                await Load.RunAsync(target, scenario, Math.Max(1, seconds * tenths / 10));
            await Load.RestAsync(target.Cpu);
        }
        if (targets.Find(target => target.Name == Rig.Portkey) is { } portkey)
            await Load.RunAsync(portkey, scenarios.Json32, Math.Max(1, seconds / 4));
        foreach (var ledger in targets.Select(target => target.Behind).OfType<Ledger>())
            await Load.RestAsync(ledger.Cpu);
    }

    static async Task<Results> MeasureAsync(List<Target> targets, Scenario.Set scenarios, Plan plan)
    {
        var results = new Results();
        Report.PrintHead();
        foreach (var scenario in (Scenario[])[scenarios.Json1, scenarios.Json32, scenarios.Json256, scenarios.Beside32, scenarios.Beside256, scenarios.Large, scenarios.Burst, scenarios.Translated, scenarios.Paced])
        {
            var taking = targets.Where(target => scenario.Targets.Contains(target.Name)).ToList();
            var samples = await MeasureAsync(taking, scenario, plan);
            foreach (var (target, runs) in samples)
                results[scenario, target.Name] = Sample.Median(runs);
            if (!scenario.Paced)
                Report.Print(results, scenario);
        }
        return results;
    }

    static async Task<Dictionary<Target, List<Sample>>> MeasureAsync(List<Target> targets, Scenario scenario, Plan plan)
    {
        var samples = targets.ToDictionary(target => target, _ => new List<Sample>());
        for (var run = 0; run < plan.Runs; run++)
            foreach (var target in targets.Where(samples.ContainsKey))
                try
                {
                    samples[target].Add(await MeasureAsync(target, scenario, plan));
                }
                catch (LoadFailedException e) when (target.Name == Rig.Portkey)
                {
                    // Another's failure under this load is a finding, not a reason to say nothing of the rest.
                    Console.Error.WriteLine($"left out: {e.Message}");
                    samples.Remove(target);
                }
        return samples;
    }

    /// <summary>One run; of a disturbed one and its repetition the quieter.</summary>
    static async Task<Sample> MeasureAsync(Target target, Scenario scenario, Plan plan)
    {
        var seconds = scenario.Paced ? plan.PacedSeconds : plan.Seconds;
        var first = await Load.MeasureAsync(target, scenario, seconds);
        if (Clock.Elapsed.TotalMinutes > plan.RepeatMinutes || !(first.Foreign > MostForeign))
            return first;
        var second = await Load.MeasureAsync(target, scenario, seconds);
        return second.Foreign < first.Foreign ? second : first with { Lost = first.Lost + second.Lost };
    }

    /// <summary>Commands that the stack sends to Redis per request, beyond what it sends in the same time without any: a run of its own, because the counting costs Redis time.</summary>
    static async Task<double> RoundTripsAsync(Gateway gateway, Target full, Scenario scenario, int seconds)
    {
        var idle = await RedisTraffic.CountAsync(gateway.Redis, () => Task.Delay(TimeSpan.FromSeconds(seconds)));
        var requests = 0L;
        var busy = await RedisTraffic.CountAsync(gateway.Redis, async () => requests = (await Load.RunAsync(full, scenario, seconds)).Requests);
        Console.WriteLine($"\nRedis: {busy} commands during {requests} requests in {seconds} s, {idle} in {seconds} s without any.");
        return Math.Max(0, busy - idle) / (double)requests;
    }
}
