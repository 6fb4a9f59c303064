using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Hot copies, counters and pushes. Redis never has the only copy of anything, so every caller must work without it. Operations here return
/// nothing instead of throwing when Redis is away.
/// </summary>
public sealed class RedisClient
{
    /// <summary>After a missed answer Redis counts as away for this long, so that not every caller waits to find out.</summary>
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    readonly IConnectionMultiplexer _connection;
    long _awayUntil;

    public RedisClient(IConnectionMultiplexer connection, ILogger<RedisClient> log)
    {
        _connection = connection;
        connection.ConnectionFailed += (_, failed) =>
            log.LogWarning("Redis is away ({Connection}): {Failure}", failed.ConnectionType, failed.FailureType);
        connection.ConnectionRestored += (_, restored) => log.LogInformation("Redis is back ({Connection})", restored.ConnectionType);
    }

    public IDatabase Database => _connection.GetDatabase();

    public bool IsConnected => _connection.IsConnected && Environment.TickCount64 >= Volatile.Read(ref _awayUntil);

    /// <summary>The operation's result, or not answered when Redis is away.</summary>
    public async Task<(bool Answered, T? Value)> TryAsync<T>(Func<IDatabase, Task<T>> operation)
    {
        if (!IsConnected)
            return (false, default);
        try
        {
            return (true, await operation(Database));
        }
        catch (Exception e) when (IsAway(e))
        {
            Volatile.Write(ref _awayUntil, Environment.TickCount64 + (long)Pause.TotalMilliseconds);
            return (false, default);
        }
    }

    /// <summary>The value and the time that it has left to live; null when there is none that can be read.</summary>
    public async Task<(T? Value, TimeSpan? Left)> GetAsync<T>(string key)
        where T : class
    {
        var (_, found) = await TryAsync(redis => redis.StringGetWithExpiryAsync(key));
        try
        {
            return found.Value.IsNullOrEmpty ? default : (JsonSerializer.Deserialize<T>((byte[])found.Value!, Defaults.Json), found.Expiry);
        }
        catch (JsonException)
        {
            // Another version of the gateway wrote it. The owner is asked instead.
            return default;
        }
    }

    /// <summary>Reaches current subscribers, at most once. Reaches nobody when Redis is away.</summary>
    public Task PublishAsync<T>(string channel, T message) =>
        TryAsync(redis => redis.PublishAsync(RedisChannel.Literal(channel), JsonSerializer.SerializeToUtf8Bytes(message, Defaults.Json)));

    /// <summary>Messages may be lost (at most once). The client library subscribes again after a reconnection.</summary>
    public void Subscribe<T>(string channel, Action<T> handle)
        where T : class =>
        _connection.GetSubscriber().SubscribeAsync(RedisChannel.Literal(channel), (_, value) =>
        {
            if (JsonSerializer.Deserialize<T>((byte[])value!, Defaults.Json) is { } message)
                handle(message);
        });

    public static bool IsAway(Exception e) => e is RedisException or TimeoutException or ObjectDisposedException;
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
