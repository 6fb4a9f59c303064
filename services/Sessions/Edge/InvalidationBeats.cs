using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>While proxies hear this beat and every message that it counts, they use their copies for longer.</summary>
public sealed class InvalidationBeats(HotCopies copies, TimeProvider time, ILogger<InvalidationBeats> log) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Loop.RunAsync("invalidation beats", Invalidation.BeatEvery, _ => copies.BeatAsync(), log, time, stoppingToken);
}
