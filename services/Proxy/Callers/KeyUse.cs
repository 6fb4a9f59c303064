using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Collects when each key of a customer or a backend was last used, and when each member last called, and tells Sessions every few seconds.
/// A crash loses the last few seconds of it.
/// </summary>
public sealed class KeyUse(SessionsClient sessions, TimeProvider time, ILogger<KeyUse> log) : BackgroundService
{
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    readonly ConcurrentDictionary<Guid, DateTimeOffset> _used = new();

    public void Record(Credential credential)
    {
        if (credential.Kind != CredentialKind.Session)
            _used[credential.Id] = time.GetUtcNow();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Loop.RunAsync("key use", Interval, async _ =>
    {
        foreach (var batch in _used.ToArray().Chunk(KeyUses.MaxAtOnce))
        {
            await sessions.RecordUseAsync(new([.. batch.Select(used => new KeyUsed(used.Key, used.Value))]));
            foreach (var told in batch)
                _used.TryRemove(told); // a key that was used again meanwhile stays
        }
    }, log, time, stoppingToken);
}
