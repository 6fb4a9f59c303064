using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Handles what other services push over Redis: revocations, changed projects, frozen wallets, recalls. Pushes may be lost. A lost
/// revocation takes effect within <see cref="Credential.MaxAge"/>, because <see cref="ChangeFeed"/> notices. A lost freeze takes effect
/// with the next renewal of the wallet's leases.
/// </summary>
public sealed class Invalidations(
    RedisClient redis, Identity identity, ChangeFeed feed, RunningCalls runningCalls, Slices slices, Spool spool) : IHostedService
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
            feed.Hear(push, isUnderstood: identity.TryForget(push));
            if (push.Kind != Invalidation.Beat)
                runningCalls.LookForRevoked();
        });
        redis.Subscribe<Recall>(Recall.Channel, recall => _ = ReturnAsync(recall));
        return Task.CompletedTask;
    }

    async Task ReturnAsync(Recall recall)
    {
        await slices.RecallAsync(recall);
        Failpoint.Hit("proxy.recall.returned");
        await redis.PublishAsync(RecallAnswer.Channel, new RecallAnswer(recall.Id, spool.Holder));
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
