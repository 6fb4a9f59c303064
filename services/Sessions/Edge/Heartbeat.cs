using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>While proxies hear this beat and every message that it counts, they use their copies for longer.</summary>
public sealed class Heartbeat(HotCopies copies, TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Invalidation.BeatEvery, time);
        do
            await copies.BeatAsync();
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
