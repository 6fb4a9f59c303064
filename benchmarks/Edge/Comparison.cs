using System.Diagnostics;

namespace LlmGateway.Edge;

/// <summary>How long things run.</summary>
/// <param name="CountSeconds">Long enough that opening the connections does not count for much.</param>
/// <param name="RepeatMinutes">How long disturbed runs are repeated: on a busy machine the end must come, too.</param>
sealed record Plan(int WarmSeconds, int Runs, int Seconds, int PacedSeconds, int CountSeconds, int RepeatMinutes)
{
    public static readonly Plan Thorough = new(60, 3, 5, 6, 15, RepeatMinutes: 12), Quick = new(8, 1, 3, 3, 8, RepeatMinutes: 0);
}

/// <summary>
/// The same load on each proxy in turn, several times round, so that whatever else the machine does falls on all of them. The medians are
/// compared.
/// </summary>
static class Comparison
{
    /// <summary>Part of the proxy's core that others may take; beyond it a run is repeated, and a figure is a hint.</summary>
    public const double MostForeign = 0.05;

    /// <summary>Part of the core's best speed of this session below which a run is repeated.</summary>
    const double LeastSpeed = 0.9;

    /// <summary>A disturbed run is taken this often at most.</summary>
    const int MostRepeats = 3;

    static readonly Stopwatch Clock = Stopwatch.StartNew();

    /// <param name="peers">Null when gateways of others are not installed.</param>
    public static async Task RunAsync(Gateway gateway, string? peers, bool quick)
    {
        var plan = quick ? Plan.Quick : Plan.Thorough;
        await WithScenariosAsync(async (scenarios, folder) =>
        {
            await using var mock = await Rig.StartMockAsync();
            await using var yarp = await Rig.StartYarpAsync();
            await using var nginx = Nginx.IsInstalled ? await Rig.StartNginxAsync(folder) : null;
            await using var portkey = peers is null ? null : await Rig.StartPortkeyAsync(peers);
            await using var ungoverned = await Rig.StartUngovernedAsync(gateway);
            await using var full = await Rig.StartFullAsync(gateway);
            if (nginx is null)
                Console.WriteLine("nginx is not installed; its rows are left out.");

            List<Target> targets = [.. new[] { mock, nginx, yarp, portkey, ungoverned, full }.OfType<Target>()];
            await WarmAsync(targets, scenarios, plan.WarmSeconds);
            var results = await MeasureAsync(targets, scenarios, plan);
            Report.PrintPaced(results, scenarios.Paced);
            await CountAsync([ungoverned, full], [scenarios.Json32, scenarios.Json256], plan);
            var redis = await RoundTripsAsync(gateway, full, scenarios.Json32, plan.Seconds);
            var checkpoints = Checkpoints.Measure();
            Console.WriteLine(checkpoints);
            Goals.Print(results, scenarios, redis, checkpoints);
        });
    }

    /// <summary>With a folder that is there for that time, in which the bodies of requests are files.</summary>
    public static async Task WithScenariosAsync(Func<Scenario.Set, string, Task> run)
    {
        var folder = Directory.CreateTempSubdirectory("llmgateway-bench-").FullName;
        try
        {
            await run(Scenario.Prepare(folder), folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Only what is counted per request, so that two commits can be compared in minutes, on a busy machine too.</summary>
    public static async Task CountAsync(Gateway gateway, bool quick)
    {
        var plan = quick ? Plan.Quick : Plan.Thorough;
        await WithScenariosAsync(async (scenarios, _) =>
        {
            await using var mock = await Rig.StartMockAsync();
            await using var ungoverned = await Rig.StartUngovernedAsync(gateway);
            await using var full = await Rig.StartFullAsync(gateway);
            await WarmAsync([ungoverned, full], scenarios, plan.WarmSeconds);
            await CountAsync([ungoverned, full], [scenarios.Json32, scenarios.Json256], plan);
            Console.WriteLine($"\n{Checkpoints.Measure()}");
        });
    }

    /// <summary>
    /// .NET compiles what is used often once more while it runs, which takes tens of seconds of load on one core. This holds for the
    /// ledger's programs, too, so they do not yield yet. Ours is first, so that its ledger can work off what it was left while the others
    /// are warmed.
    /// </summary>
    public static async Task WarmAsync(List<Target> targets, Scenario.Set scenarios, int seconds)
    {
        (Scenario Scenario, int Tenths)[] mix =
            [(scenarios.Json32, 6), (scenarios.Large, 1), (scenarios.Burst, 3), (scenarios.Translated, 2)];
        var warmed = targets.Where(target => target.Name is Rig.Full or Rig.Ungoverned or Rig.Yarp);
        foreach (var target in warmed.OrderByDescending(target => target.Behind is not null))
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
        foreach (var scenario in scenarios.Rows)
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

    /// <summary>One run; of a disturbed one and its repetitions the least disturbed.</summary>
    public static async Task<Sample> MeasureAsync(Target target, Scenario scenario, Plan plan)
    {
        var runs = new List<Sample>();
        do
            runs.Add(await Load.MeasureAsync(target, scenario, scenario.Paced ? plan.PacedSeconds : plan.Seconds));
        while (IsDisturbed(runs[^1]) && runs.Count < MostRepeats && Clock.Elapsed.TotalMinutes < plan.RepeatMinutes);
        return runs.MaxBy(Had)! with { Lost = runs.Sum(run => run.Lost) };
    }

    static bool IsDisturbed(Sample run) => run.Foreign > MostForeign || CoreSpeed.OfBest(run.CoreSpeed) < LeastSpeed;

    /// <summary>What a proxy had of the core at its best.</summary>
    static double Had(Sample run) => CoreSpeed.OfBest(run.CoreSpeed) * (1 - (double.IsNaN(run.Foreign) ? 0 : run.Foreign));

    static async Task CountAsync(Target[] targets, Scenario[] scenarios, Plan plan)
    {
        var counts = new List<(string Name, Counts[] Counts)>();
        foreach (var target in targets)
        {
            var ofTarget = new List<Counts>();
            foreach (var scenario in scenarios)
                ofTarget.Add(await Counts.OfRunsAsync(target, scenario, plan.CountSeconds));
            counts.Add((target.Name, [.. ofTarget]));
        }
        Report.PrintCounts(counts);
    }

    /// <summary>
    /// Commands that the stack sends to Redis per request, beyond what it sends in the same time without any. A run of its own, because the
    /// counting costs Redis time.
    /// </summary>
    static async Task<double> RoundTripsAsync(Gateway gateway, Target full, Scenario scenario, int seconds)
    {
        var idle = await RedisTraffic.CountAsync(gateway.Redis, () => Task.Delay(TimeSpan.FromSeconds(seconds)));
        var requests = 0L;
        var busy = await RedisTraffic.CountAsync(
            gateway.Redis, async () => requests = (await Load.RunAsync(full, scenario, seconds)).Requests);
        Console.WriteLine($"\nRedis: {busy} commands during {requests} requests in {seconds} s, {idle} in {seconds} s without any.");
        return Math.Max(0, busy - idle) / (double)requests;
    }
}
