using System.Diagnostics.Metrics;
using System.Text.Json;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Hot copies, counters and pushes. Redis never has the only copy of anything, so every caller must work without it. Operations here return
/// nothing instead of throwing when Redis is away. Nor is Redis believed: whoever can write there could otherwise be any customer. So
/// copies and messages are sealed for their key or channel (<see cref="TimedSeal"/>), and what does not open was never there. Only the
/// counters of scripts are taken as they are.
/// </summary>
public sealed class RedisClient
{
    /// <summary>After a missed answer Redis counts as away for this long, so that not every caller waits to find out.</summary>
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    const string RemoveIfSame = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1]) or 0";

    const string RemoveVersionIfSame =
        "return redis.call('hget', KEYS[1], 'value') == ARGV[1] and redis.call('del', KEYS[1]) or 0";

    const string KeepVersion = """
        local known = tonumber(redis.call('hget', KEYS[1], 'version') or -1)
        if known > tonumber(ARGV[1]) then return 0 end
        redis.call('hset', KEYS[1], 'version', ARGV[1], 'value', ARGV[2])
        return redis.call('pexpire', KEYS[1], ARGV[3])
        """;

    static readonly System.Diagnostics.Metrics.Meter Metrics = new("LlmGateway.Redis");
    static readonly Counter<long> NotOurs = Metrics.CreateCounter<long>(
        "gateway.redis.not_ours", "{value}", "Copies and messages in Redis that no service of the gateway has sealed within a minute");

    readonly IConnectionMultiplexer _connection;
    readonly TimedSeal _seal;
    long _awayUntil;

    public RedisClient(IConnectionMultiplexer connection, InternalKeys keys, TimeProvider time, ILogger<RedisClient> log)
    {
        (_connection, _seal) = (connection, SealOf(keys.Keys, time));
        connection.ConnectionFailed += (_, failed) =>
            log.LogWarning("Redis is away ({Connection}): {Failure}", failed.ConnectionType, failed.FailureType);
        connection.ConnectionRestored += (_, restored) => log.LogInformation("Redis is back ({Connection})", restored.ConnectionType);
    }

    public bool IsConnected => _connection.IsConnected && Environment.TickCount64 >= Volatile.Read(ref _awayUntil);

    public static TimedSeal SealOf(IEnumerable<byte[]> keys, TimeProvider time) => new(keys, "Redis", time);

    /// <summary>
    /// Runs a script; not answered when Redis is away. Its result is not sealed: whoever writes in Redis can change what the script counts.
    /// </summary>
    public Task<(bool Answered, RedisResult? Result)> RunAsync(string script, RedisKey[] keys, RedisValue[] values) =>
        TryAsync(redis => redis.ScriptEvaluateAsync(script, keys, values));

    /// <summary>The value and the time that it has left to live; null when there is none that can be read.</summary>
    public async Task<(T? Value, TimeSpan? Left)> GetAsync<T>(string key)
        where T : class
    {
        var (_, found) = await TryAsync(redis => redis.StringGetWithExpiryAsync(key));
        if (found.Value.IsNullOrEmpty)
            return default;
        if (Open(key, found.Value) is { } json)
            return (Read<T>(json), found.Expiry);
        // It would keep out the copy that its owner is about to make. A newer value than the one that was read stays.
        await RunAsync(RemoveIfSame, [key], [found.Value]);
        return default;
    }

    /// <summary>Keeps a copy, unless there is one, or an empty one of <see cref="ForgetAsync"/>.</summary>
    public Task KeepAsync<T>(string key, T value, TimeSpan life) =>
        QuietlyAsync(redis => redis.StringSetAsync(key, Seal(key, value), life, When.NotExists));

    /// <summary>Replaces a copy by an empty one, so that nobody who was slower than the change can keep the old one again.</summary>
    public Task ForgetAsync(string key, TimeSpan life) => QuietlyAsync(redis => redis.StringSetAsync(key, RedisValue.EmptyString, life));

    /// <summary>Keeps JSON as it is, unless a newer version of it is there. With no life left it only removes the older one.</summary>
    public Task KeepVersionAsync(string key, long version, ReadOnlySpan<byte> json, TimeSpan life)
    {
        var value = _seal.Seal(key, json);
        return QuietlyAsync(redis => redis.ScriptEvaluateAsync(KeepVersion, [key], [version, value, (long)life.TotalMilliseconds]));
    }

    /// <summary>The JSON of the newest version that was kept; null when there is none that can be read.</summary>
    public async Task<ReadOnlyMemory<byte>?> NewestAsync(string key)
    {
        var (_, value) = await TryAsync(redis => redis.HashGetAsync(key, "value"));
        if (value.IsNullOrEmpty)
            return null;
        if (Open(key, value) is { } json)
            return json;
        await RunAsync(RemoveVersionIfSame, [key], [value]);
        return null;
    }

    /// <summary>Which of the keys have a copy. None when Redis is away.</summary>
    public async Task<bool[]> ExistAsync(IReadOnlyList<string> keys)
    {
        // The client sends them together.
        var (_, found) = await TryAsync(redis => Task.WhenAll(keys.Select(key => redis.KeyExistsAsync(key))));
        return found ?? new bool[keys.Count];
    }

    /// <summary>Reaches current subscribers, at most once. Reaches nobody when Redis is away.</summary>
    public Task PublishAsync<T>(string channel, T message) =>
        TryAsync(redis => redis.PublishAsync(RedisChannel.Literal(channel), Seal(channel, message)));

    /// <summary>Messages may be lost (at most once). The client library subscribes again after a reconnection.</summary>
    public void Subscribe<T>(string channel, Action<T> handle)
        where T : class =>
        _connection.GetSubscriber().SubscribeAsync(RedisChannel.Literal(channel), (_, value) =>
        {
            if (Open(channel, value) is { } json && Read<T>(json) is { } message)
                handle(message);
        });

    async Task<(bool Answered, T? Value)> TryAsync<T>(Func<IDatabase, Task<T>> operation)
    {
        if (!IsConnected)
            return (false, default);
        try
        {
            return (true, await operation(_connection.GetDatabase()));
        }
        catch (Exception e) when (IsAway(e))
        {
            Volatile.Write(ref _awayUntil, Environment.TickCount64 + (long)Pause.TotalMilliseconds);
            return (false, default);
        }
    }

    /// <summary>Also tried while Redis counts as away. Copies end by themselves, so nobody needs to know whether it was done.</summary>
    async Task QuietlyAsync(Func<IDatabase, Task> operation)
    {
        try
        {
            await operation(_connection.GetDatabase());
        }
        catch (Exception e) when (IsAway(e))
        {
            // What is changed is committed.
        }
    }

    byte[] Seal<T>(string context, T value) => _seal.Seal(context, JsonSerializer.SerializeToUtf8Bytes(value, Defaults.Json));

    ReadOnlyMemory<byte>? Open(string context, RedisValue value)
    {
        var json = _seal.Open(context, (byte[])value!);
        if (json is null)
            NotOurs.Add(1, new KeyValuePair<string, object?>("kind", context.Split(':')[1]));
        return json;
    }

    /// <summary>Null when another version of the gateway wrote it. The owner is asked instead.</summary>
    static T? Read<T>(ReadOnlyMemory<byte> json)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json.Span, Defaults.Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    static bool IsAway(Exception e) => e is RedisException or TimeoutException or ObjectDisposedException;
}

public static class RedisRegistration
{
    /// <summary>
    /// An answer counts as missed after this many milliseconds. The client checks at the same interval, so a caller waits at most twice as
    /// long.
    /// </summary>
    const int Patience = 250;

    public static void AddRedis(this WebApplicationBuilder builder)
    {
        const string name = "redis";
        builder.Connection(name);
        // Without Redis a service is slower and still healthy. Telemetry.cs says what is traced and counted.
        builder.AddRedisClient(name, settings => settings.DisableHealthChecks = settings.DisableTracing = true, Configure);
        builder.Services.AddSingleton<RedisClient>();
        // The client connects at the start and not with the first request. Connecting blocks its thread and needs others. With requests
        // waiting, the thread pool would have none for many seconds.
        builder.Services.ActivateSingleton<RedisClient>();
    }

    static void Configure(ConfigurationOptions options)
    {
        options.AbortOnConnectFail = false;
        options.ConnectTimeout = 2000;
        options.ConnectRetry = 1; // at the start; afterwards it is tried again for ever
        options.AsyncTimeout = Patience;
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(Patience);
        // What cannot be answered now is not queued, because its caller goes on without it.
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ReconnectRetryPolicy = new LinearRetry(500);
    }
}
