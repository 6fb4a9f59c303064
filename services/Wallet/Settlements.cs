using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;

namespace LlmGateway.Wallet;

/// <summary>
/// Takes batches of finished requests from the queue. Acknowledged only after the commit; a redelivered settlement is recognised by its
/// request id. While the database is away the batch waits here, unacknowledged; one that the ledger refuses for another reason
/// ends in the queue's error queue for a person to look at.
/// </summary>
public sealed class SettlementConsumer(Writer writer, ILogger<SettlementConsumer> log) : IConsumer<SettlementBatch>
{
    static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(5);

    public async Task Consume(ConsumeContext<SettlementBatch> context)
    {
        Failpoint.Hit("wallet.settlements.received");
        for (var delay = FirstDelay; ; delay = delay * 2 < MaxDelay ? delay * 2 : MaxDelay)
        {
            try
            {
                await Task.WhenAll(context.Message.Settlements.Select(settlement => writer.RunAsync(new Settle(settlement))));
                Failpoint.Hit("wallet.settlements.settled");
                return;
            }
            catch (Exception e) when (Problems.IsOutage(e))
            {
                log.LogWarning("{Count} settlements wait for the database: {Message}", context.Message.Settlements.Count, e.Message);
                await Task.Delay(delay, context.CancellationToken);
            }
        }
    }
}
