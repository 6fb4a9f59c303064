using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Handles what other services push over Redis: revocations, changed projects, frozen wallets, recalls. Pushes may be lost. A lost
/// revocation takes effect within <see cref="Credential.MaxAge"/>, because <see cref="ChangeFeed"/> notices. After a lost freeze this proxy
/// still admits requests on what it holds of the wallet.
/// </summary>
public sealed class Invalidations(
    RedisClient redis, Identity identity, ChangeFeed feed, RunningCalls runningCalls, Slices slices) : IHostedService
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
            feed.Hear(push);
            if (push.Kind != Invalidation.Beat)
                runningCalls.LookForRevoked();
        });
        redis.Subscribe<Recall>(Recall.Channel, recall => _ = slices.RecallAsync(recall));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
