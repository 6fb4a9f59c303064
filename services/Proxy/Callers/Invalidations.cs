using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>Hears what other services push over Redis: revocations, changed projects, frozen wallets. Lost pushes cost seconds, never money.</summary>
public sealed class Invalidations(Redis redis, Identity identity, RunningCalls runningCalls, Slices slices) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        redis.Subscribe<Invalidation>(Invalidation.Channel, push =>
        {
            if (push.Kind == Invalidation.RegisterFrozen)
            {
                if (Guid.TryParseExact(push.Value, "N", out var register))
                    slices.GiveBack(register);
                return;
            }
            identity.Forget(push);
            _ = runningCalls.EndRevokedAsync();
        });
        redis.Subscribe<Recall>(Recall.Channel, recall => _ = slices.RecallAsync(recall));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
