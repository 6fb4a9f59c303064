using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// The accelerator: hot copies, counters, pushes. Never the only copy of anything, so every caller must have a way on without it;
/// hence operations here answer "nothing" instead of throwing when Redis is away.
/// </summary>
public sealed class Redis(ConnectionMultiplexer connection)
{
    public IDatabase Database => connection.GetDatabase();

    public bool IsConnected => connection.IsConnected;

    public async Task<T?> GetAsync<T>(string key)
        where T : class
    {
        try
        {
            var value = await Database.StringGetAsync(key);
            return value.IsNullOrEmpty ? null : JsonSerializer.Deserialize<T>((byte[])value!, Defaults.Json);
        }
        catch (Exception e) when (IsAway(e) || e is JsonException)
        {
            return null;
        }
    }

    public Task SetAsync<T>(string key, T value, TimeSpan lifetime) =>
        Quietly(() => Database.StringSetAsync(key, JsonSerializer.SerializeToUtf8Bytes(value, Defaults.Json), lifetime));

    public Task RemoveAsync(string key) => Quietly(() => Database.KeyDeleteAsync(key));

    public Task PublishAsync<T>(string channel, T message) =>
        Quietly(() => connection.GetSubscriber().PublishAsync(channel, JsonSerializer.SerializeToUtf8Bytes(message, Defaults.Json)));

    /// <summary>Messages may be lost (at most once). The client library subscribes again after a reconnection.</summary>
    public void Subscribe<T>(string channel, Action<T> handle)
        where T : class =>
        connection.GetSubscriber().SubscribeAsync(channel, (_, value) =>
        {
            if (JsonSerializer.Deserialize<T>((byte[])value!, Defaults.Json) is { } message)
                handle(message);
        });

    public static bool IsAway(Exception e) => e is RedisException or TimeoutException or ObjectDisposedException;

    static async Task Quietly(Func<Task> operation)
    {
        try
        {
            await operation();
        }
        catch (Exception e) when (IsAway(e))
        {
            // Redis is away: the caller's truth is elsewhere, and readers bound the age of what they hold.
        }
    }
}

public static class RedisRegistration
{
    public static void AddRedis(this WebApplicationBuilder builder)
    {
        var options = ConfigurationOptions.Parse(builder.Configuration.Connection("redis"));
        options.AbortOnConnectFail = false;
        options.ConnectTimeout = 2000;
        options.SyncTimeout = 1000;
        options.ReconnectRetryPolicy = new LinearRetry(500);
        builder.Services.AddSingleton(_ => new Redis(ConnectionMultiplexer.Connect(options)));
    }
}
