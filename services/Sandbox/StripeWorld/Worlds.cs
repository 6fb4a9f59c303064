using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>The worlds of all keys, the latest of them, and the tick that lets things happen while nobody calls.</summary>
sealed class Worlds(TimeProvider time, Outbox outbox, ILogger<Worlds> log) : BackgroundService
{
    const int MaxWorlds = 500;

    static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(200);

    readonly Lock gate = new();
    readonly Dictionary<string, (World World, long Used)> worlds = [];
    long uses;

    /// <summary>What a key opens.</summary>
    /// <exception cref="Refusal">No key, one of another form, or one with which real money could move.</exception>
    public World Of(string? key)
    {
        if (string.IsNullOrEmpty(key))
        {
            throw Refusal.Unauthorized("You did not provide an API key. You need to provide your API key in the Authorization header, "
                + "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').");
        }
        if (key.Contains("_live_", StringComparison.Ordinal))
        {
            throw Refusal.Unauthorized("This is the sandbox. It refuses live keys: no money moves here.");
        }
        var kind = key.Split("_test_", 2);
        if (kind is not ["sk" or "rk" or "pk", { Length: > 0 and <= 200 } name])
        {
            throw Refusal.Unauthorized($"Invalid API Key provided: {key[..Math.Min(key.Length, 8)]}****");
        }
        lock (gate)
        {
            var world = worlds.TryGetValue(name, out var known) ? known.World : new(name, time, outbox);
            worlds[name] = (world, ++uses);
            if (worlds.Count > MaxWorlds)
            {
                worlds.Remove(worlds.MinBy(each => each.Value.Used).Key);
            }
            return world;
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Loop.RunAsync("Stripe's worlds", Tick, _ =>
        {
            LetHappen();
            return Task.CompletedTask;
        }, log, time, stoppingToken);

    void LetHappen()
    {
        World[] all;
        lock (gate)
        {
            all = [.. worlds.Values.Select(each => each.World)];
        }
        foreach (var world in all)
        {
            lock (world.Gate)
            {
                world.Clock.RunDue();
                if (world.Deliveries.HasReady)
                {
                    world.Deliveries.Wake();
                }
            }
        }
    }
}
