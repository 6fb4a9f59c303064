using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Tells the ledger that this proxy lives, so that it keeps the slots of the requests that run here. The pace stays the same whatever
/// happens: a pause that grew from failure to failure would be taken for death.
/// </summary>
public sealed class Heartbeats(WalletClient wallet, Slices slices, Spool spool, TimeProvider time, ILogger<Heartbeats> log)
    : BackgroundService
{
    /// <summary>A beat that is not answered by then is followed by another one.</summary>
    static readonly TimeSpan Patience = 2 * Heartbeat.Every;

    Guid? _epoch;

    /// <summary>A beat was not answered, so an epoch that is heard for the first time need not be the first.</summary>
    bool _lost;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Loop.RunAsync("heartbeats", Heartbeat.Every, BeatAsync, log, time, stoppingToken);

    public async Task BeatAsync(CancellationToken token)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(token);
        patience.CancelAfter(Patience);
        try
        {
            var epoch = await wallet.BeatAsync(new(spool.Holder), patience.Token);
            if (_epoch is { } known ? known != epoch : _lost)
            {
                log.LogWarning("the ledger has heard nothing of this proxy for a moment and freed its slots");
                slices.SlotsFreed();
            }
            _epoch = epoch;
        }
        catch (Exception e) when (!token.IsCancellationRequested && (Problems.IsOutage(e) || e is OperationCanceledException))
        {
            _lost = true;
            log.LogDebug("a heartbeat was lost: {Message}", e.Message);
        }
    }
}
