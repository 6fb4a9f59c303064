using System.Diagnostics;
using System.Globalization;
using LlmGateway.ServiceDefaults;
using StackExchange.Redis;

namespace LlmGateway.Faults;

/// <summary>
/// <c>./dev chaos</c>: rounds of load with random faults. The faults of a round follow from its seed alone, so a bad round can be repeated
/// by starting with its seed.
/// </summary>
public sealed class ChaosTests
{
    const int MinEvents = 4, MaxEvents = 9;

    static readonly TimeSpan
        LongestBrokerStop = TimeSpan.FromSeconds(60),
        LongestServerStop = TimeSpan.FromSeconds(8),
        LongestPause = TimeSpan.FromSeconds(6);

    static readonly string[] Pausable = [.. Processes.Gateway, .. Processes.Servers];

    readonly Dictionary<string, int> _events = [];

    [Fact(Explicit = true)]
    public async Task Anything_may_happen_to_anything()
    {
        var (minutes, first) = (Order.Number("CHAOS_MINUTES", 5), Order.Number("CHAOS_SEED", 1));
        var started = Stopwatch.GetTimestamp();
        var (seed, calls, answers) = (first, 0L, 0L);
        do
        {
            var load = await RoundAsync(seed++);
            calls += load.Fates.Count();
            answers += load.Fates.Count(fate => fate.Seen == Seen.Completed);
        }
        while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(minutes));
        await Invariants.HoldAtRestAsync();
        var minutesTaken = Stopwatch.GetElapsedTime(started).TotalMinutes;
        var events = string.Join(", ", _events.Select(pair => $"{pair.Value} × {pair.Key}"));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{seed - first} rounds in {minutesTaken:F1} minutes, {calls} calls, {answers} answered; {events}. 0 lost, 0 doubled."));
    }

    async Task<Load> RoundAsync(int seed)
    {
        Stack.App.ForgetOrders();
        await Processes.HealthyAsync();
        var random = new Random(seed);
        var load = await Load.StartAsync(seed);
        var background = new List<Task>();
        var told = new List<string>();
        var armed = new HashSet<string>();
        try
        {
            for (var left = random.Next(MinEvents, MaxEvents + 1); left > 0; left--)
            {
                var (kind, what, act) = Next(random);
                told.Add(what);
                if (kind == "failpoint")
                    armed.Add(what[..what.IndexOf(' ', StringComparison.Ordinal)]);
                _events[kind] = _events.GetValueOrDefault(kind) + 1;
                // Calls are served while the broker is down, so the next event may happen meanwhile.
                if (kind == "broker stop")
                    background.Add(act());
                else
                    await act();
                await Task.Delay(random.Next(200, 2500));
            }
            await Task.WhenAll(background);
            await Processes.HealthyAsync();
            // A restart disarms the points that were not passed, so that no process dies while the books are checked.
            foreach (var name in armed)
                await Outage.KillAsync(name);
        }
        finally
        {
            Console.WriteLine($"seed {seed}: {string.Join(", ", told)}");
            await load.StopAsync();
        }
        await load.CheckAsync();
        Console.WriteLine($"  calls: {load}");
        return load;
    }

    /// <summary>All random choices are made here, before the event happens, so that a seed means the same on every machine.</summary>
    static (string Kind, string What, Func<Task> Act) Next(Random random)
    {
        var (choice, part) = (random.Next(100), random.NextDouble());
        var service = Processes.Gateway[random.Next(Processes.Gateway.Length)];
        var anyone = Pausable[random.Next(Pausable.Length)];
        var points = Points.All.Where(point => point.StartsWith(service.TrimEnd('2'), StringComparison.Ordinal)).ToArray();
        var point = string.Create(CultureInfo.InvariantCulture, $"{points[random.Next(points.Length)]}:{random.Next(1, 20)}:kill");
        return choice switch
        {
            < 30 => ("failpoint", $"{service} at {point}", () => Processes.RestartAsync(service, Failpoint.Variable, point)),
            < 50 => ("kill", $"kill {service}", () => Processes.KillAsync(service)),
            < 58 => ("postgres kill", "kill postgres", () => Processes.KillAsync("postgres")),
            < 64 => ("broker kill", "kill rabbitmq", () => Processes.KillAsync("rabbitmq")),
            < 70 => ("redis kill", "kill redis", () => Processes.KillAsync("redis")),
            < 76 => ("redis wipe", "wipe redis", WipeRedisAsync),
            < 82 => Stop("broker stop", "rabbitmq", part * LongestBrokerStop),
            < 86 => Stop("stop", "postgres", part * LongestServerStop),
            < 90 => Stop("stop", "redis", part * LongestServerStop),
            _ => (
                "pause",
                string.Create(CultureInfo.InvariantCulture, $"pause {anyone} {(part * LongestPause).TotalSeconds:F1} s"),
                () => PauseAsync(anyone, part * LongestPause)),
        };
    }

    static (string, string, Func<Task>) Stop(string kind, string server, TimeSpan time) =>
        (kind, string.Create(CultureInfo.InvariantCulture, $"stop {server} {time.TotalSeconds:F1} s"), () => StopAsync(server, time));

    static async Task StopAsync(string server, TimeSpan time)
    {
        await Eventually.HoldsAsync(
            () => Task.FromResult(Stack.ProcessId(server) is not null),
            $"a running {server}",
            TimeSpan.FromSeconds(60));
        await using var outage = await Outage.StopAsync(server);
        await Task.Delay(time);
    }

    static async Task PauseAsync(string name, TimeSpan time)
    {
        if (Stack.ProcessId(name) is not { } process || !await Outage.TrySignalAsync("STOP", process))
            return;
        await Task.Delay(time);
        await Outage.TrySignalAsync("CONT", process);
    }

    static async Task WipeRedisAsync()
    {
        try
        {
            using var redis = await ConnectionMultiplexer.ConnectAsync($"{Stack.Connection("redis")},allowAdmin=true");
            await redis.GetServer(redis.GetEndPoints()[0]).FlushDatabaseAsync();
        }
        catch (RedisException)
        {
            // Redis is down just now and loses its data by that, too.
        }
    }
}
