using System.Globalization;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>
/// Every service is killed by SIGKILL at every failpoint, under load, and starts again. Nothing that a caller was given is lost, nothing is
/// charged twice, no wallet falls below zero, and everything serves again. Several services die side by side, each going through its own
/// points.
/// </summary>
public sealed class CrashTests
{
    /// <summary>
    /// The points are divided among the rounds. After each round the books are compared with what callers know. The short form runs one of
    /// its rounds.
    /// </summary>
    const int Rounds = 2, ShortRounds = 4;

    static readonly TimeSpan PointLimit = TimeSpan.FromSeconds(180);

    /// <summary>
    /// Points to die at after all others. Some are passed only when other services live for a while. Death at an idempotency point leaves a
    /// key claimed for a minute, in which its owner passes nothing else.
    /// </summary>
    static readonly string[] Last = ["recall", "shortage", "sweeper", "idempotency"];

    /// <summary>Passed only while proxies still die: somebody must fall silent.</summary>
    const string First = "wallet.slots.found";

    /// <summary>Every fourth point, in less than a minute.</summary>
    [Fact]
    public Task A_service_that_is_killed_at_any_point_loses_nothing_and_doubles_nothing() =>
        RunAsync(seed: 1, round: ShortRounds - 1, ShortRounds);

    /// <summary><c>./dev chaos --failpoints --seeds N</c>: all points, with other passages and in another order each time.</summary>
    [Fact(Explicit = true)]
    public async Task Failpoints()
    {
        var (first, count) = (Order.Number("CHAOS_SEED", 2), Order.Number("CHAOS_SEEDS", 1));
        for (var seed = first; seed < first + count; seed++)
            for (var round = 0; round < Rounds; round++)
                await RunAsync(seed, round, Rounds);
    }

    static async Task RunAsync(int seed, int round, int rounds)
    {
        Stack.App.ForgetOrders();
        await Processes.HealthyAsync();
        var lives = Lives(seed, round, rounds);
        var load = await Load.StartAsync(seed * rounds + round);
        try
        {
            await Task.WhenAll(lives.Select(life => GoThroughAsync(life.Name, life.Points)));
        }
        finally
        {
            await load.StopAsync();
        }
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"seed {seed}, round {round}: {lives.Sum(life => life.Points.Count)} kills; calls: {load}"));
        await load.CheckAsync();
        if (round == rounds - 1)
            await Invariants.HoldAtRestAsync();
    }

    /// <summary>The points at which each process dies in this round. Seed 1 dies at the first passage, others at a random one.</summary>
    static List<(string Name, List<string> Points)> Lives(int seed, int round, int rounds)
    {
        var random = new Random(seed);
        var points = Points.All.ToArray();
        random.Shuffle(points);
        var lives = new List<(string, List<string>)>();
        foreach (var group in points.GroupBy(Points.Owner))
        {
            var ordered = group.OrderBy(point => point != First)
                .ThenBy(point => Last.Any(part => point.Contains(part, StringComparison.Ordinal))).ToList();
            var armed = ordered.ConvertAll(point =>
            {
                var passage = seed == 1 || Points.OnceInALife.Contains(point) ? 1 : random.Next(1, 5);
                return string.Create(CultureInfo.InvariantCulture, $"{point}:{passage}:kill");
            });
            var mine = armed.Where((_, i) => i % rounds == round).ToList();
            if (group.Key != "proxy")
                lives.Add((group.Key, mine));
            else
                for (var i = 0; i < 2; i++)
                    lives.Add((Processes.Proxies[i], mine.Where((_, n) => n % 2 == i).ToList()));
        }
        lives.RemoveAll(life => life.Item2.Count == 0);
        return lives;
    }

    /// <summary>After each death the process is started with its next point armed, and after the last death without any.</summary>
    static async Task GoThroughAsync(string name, List<string> points)
    {
        var before = Processes.LogEnd(name);
        Stack.App.Once(name, Failpoint.Variable, points[0]);
        var process = Stack.ProcessId(name)!.Value;
        await Processes.KillAsync(name);
        for (var i = 0; i < points.Count; i++)
        {
            var point = Point(points[i]);
            await Eventually.HoldsAsync(() => Task.FromResult(!Stack.App.IsOrdered(name)), $"the start of {name} with {point}", PointLimit);
            if (i + 1 < points.Count)
                Stack.App.Once(name, Failpoint.Variable, points[i + 1]);
            await Eventually.HoldsAsync(() => DiedAsync(name, point, before), $"the passage of {name} through {point}", PointLimit);
        }
        await Processes.BackAsync(name, process);
    }

    static string Point(string armed) => armed[..armed.IndexOf(':', StringComparison.Ordinal)];

    static async Task<bool> DiedAsync(string name, string point, long before)
    {
        if (point.StartsWith("wallet.sweeper", StringComparison.Ordinal))
            await Invariants.EndLeasesOfTheDeadAsync();
        return Processes.Passages(name, before).Contains($"{point}: kill");
    }
}
