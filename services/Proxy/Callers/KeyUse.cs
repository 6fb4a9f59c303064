using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>When each customer key was last used, told to Sessions every few seconds instead of with every request. A crash loses seconds of it, nothing more.</summary>
public sealed class KeyUse(SessionsClient sessions, TimeProvider time, ILogger<KeyUse> log) : BackgroundService
{
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    readonly ConcurrentDictionary<Guid, DateTimeOffset> _used = new();

    public void Record(Credential credential)
    {
        if (credential.Kind == CredentialKind.CustomerKey)
            _used[credential.Id] = time.GetUtcNow();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            foreach (var batch in _used.ToArray().Chunk(KeyUses.MaxAtOnce))
            {
                try
                {
                    await sessions.RecordUseAsync(new([.. batch.Select(used => new KeyUsed(used.Key, used.Value))]));
                    foreach (var told in batch)
                        _used.TryRemove(told); // unless it was used again meanwhile
                }
                catch (Exception e) when (Problems.IsOutage(e))
                {
                    log.LogDebug("key uses could not be told: {Message}", e.Message);
                    break;
                }
            }
        }
    }
}
