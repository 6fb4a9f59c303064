using StackExchange.Redis;

namespace LlmGateway.Faults;

/// <summary>
/// Redis is never the only copy of anything. It may lose everything or come back with old data, and no money moves.
/// </summary>
public sealed class RedisTests : IAsyncLifetime
{
    const long UpperBoundOfNarrow = 100 * Price.Input + 16 * Price.Output, NarrowCost = 3 * Price.Input + 16 * Price.Output;

    public async ValueTask InitializeAsync() => await Processes.HealthyAsync();

    public async ValueTask DisposeAsync() => await Books.MustBeRightAsync();

    [Fact]
    public async Task Redis_that_is_wiped_and_killed_under_load_changes_no_charge()
    {
        var load = await Load.StartAsync(seed: 20);
        using (var redis = await ConnectAsync())
            for (var i = 0; i < 5; i++)
            {
                await WipeAsync(redis);
                await AnswersAsync(load, 10);
            }
        var killed = Stack.ProcessId("redis")!.Value;
        await Processes.KillAsync("redis");
        await Eventually.HoldsAsync(
            () => Task.FromResult(Stack.ProcessId("redis") is { } now && now != killed),
            "another Redis",
            TimeSpan.FromSeconds(60));
        await AnswersAsync(load, 10);
        await load.StopAsync();
        await load.CheckAsync();
    }

    [Fact]
    public async Task Redis_that_is_rolled_back_brings_back_neither_money_nor_a_revoked_session()
    {
        var user = await Load.Backend.NewUserAsync(Gateway.Usd(UpperBoundOfNarrow));
        var revoked = await Load.Backend.NewUserAsync();
        foreach (var proxy in Stack.Proxies)
            (await revoked.ChatAsync("small", Price.Question, at: proxy)).MustBe(200);
        using var redis = await ConnectAsync();
        var before = await DumpAsync(redis);

        (await user.ChatAsync("narrow", Price.Question)).MustBe(200);
        (await Load.Backend.DeleteAsync($"/v1/sessions/{revoked.SessionId}")).MustBe(204);
        foreach (var proxy in Stack.Proxies)
            await Eventually.GetAsync(
                () => revoked.ChatAsync("small", Price.Question, at: proxy),
                reply => reply.Status == 401,
                "the refusal of a revoked session",
                TimeSpan.FromSeconds(1));
        await WipeAsync(redis);
        await RestoreAsync(redis, before);

        await user.BalanceAfterAsync(1);
        foreach (var proxy in Stack.Proxies)
        {
            (await user.ChatAsync("narrow", Price.Question, at: proxy)).MustBeProblem(402, "wallet_exhausted");
            (await revoked.ChatAsync("small", Price.Question, at: proxy)).MustBeProblem(401, "revoked");
        }
        Assert.Equal(UpperBoundOfNarrow - NarrowCost, await user.BalanceAfterAsync(1));
    }

    /// <summary>Waits for so many more answers than there are now.</summary>
    static Task AnswersAsync(Load load, int more)
    {
        var before = Count();
        return Eventually.HoldsAsync(() => Task.FromResult(Count() >= before + more), $"{more} more answers", TimeSpan.FromSeconds(30));

        int Count() => load.Fates.Count(fate => fate.Seen == Seen.Completed);
    }

    static async Task<ConnectionMultiplexer> ConnectAsync() =>
        await ConnectionMultiplexer.ConnectAsync($"{Stack.Connection("redis")},allowAdmin=true");

    static Task WipeAsync(ConnectionMultiplexer redis) => redis.GetServer(redis.GetEndPoints()[0]).FlushDatabaseAsync();

    static async Task<Dictionary<RedisKey, byte[]>> DumpAsync(ConnectionMultiplexer redis)
    {
        var dump = new Dictionary<RedisKey, byte[]>();
        foreach (var key in redis.GetServer(redis.GetEndPoints()[0]).Keys())
            if (await redis.GetDatabase().KeyDumpAsync(key) is { } value)
                dump[key] = value;
        return dump;
    }

    /// <summary>As after a restart from an old copy, and with more life than the keys had left.</summary>
    static async Task RestoreAsync(ConnectionMultiplexer redis, Dictionary<RedisKey, byte[]> dump)
    {
        Assert.NotEmpty(dump);
        foreach (var (key, value) in dump)
            await redis.GetDatabase().KeyRestoreAsync(key, value, TimeSpan.FromMinutes(1));
    }
}
