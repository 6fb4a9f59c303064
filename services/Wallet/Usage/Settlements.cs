using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;

namespace LlmGateway.Wallet;

/// <summary>
/// Takes batches of finished requests from the queue. A batch is acknowledged only after the commit; a redelivered settlement is recognised
/// by its request id. While the database is away, the batch waits here unacknowledged. A batch that the ledger refuses for another reason
/// goes to the error queue.
/// </summary>
public sealed class SettlementConsumer(Writer writer, LeaseSweeper sweeper, ILogger<SettlementConsumer> log) : IConsumer<SettlementBatch>
{
    public static void Configure(IReceiveEndpointConfigurator queue, IRegistrationContext context)
    {
        queue.AddDeserializer(new SettlementDeserializer());
        // A batch that cannot be settled is in the error queue; nobody listens to faults.
        queue.PublishFaults = false;
        queue.ConfigureConsumer<SettlementConsumer>(context);
    }

    public async Task Consume(ConsumeContext<SettlementBatch> context)
    {
        var settlements = Read(context.Message.Records);
        Failpoint.Hit("wallet.settlements.received");
        await Backoff.UntilDoneAsync(
            async () =>
            {
                await writer.RunAsync(settlements);
                Failpoint.Hit("wallet.settlements.settled");
                if (context.Message.GoneHolder is { } holder)
                    await sweeper.EndHolderAsync(holder, context.CancellationToken);
            },
            Problems.IsOutage,
            (e, _) => log.LogWarning("{Count} settlements wait for the database: {Message}", settlements.Count, e.Message),
            context.CancellationToken);
    }

    /// <summary>A record that is no settlement must not stop the others. It is logged whole.</summary>
    List<Settle> Read(byte[] records)
    {
        var settlements = new List<Settle>(SettlementBatch.MaxSettlements);
        var start = 0;
        for (int length; (length = SettlementRecord.LengthOf(records.AsSpan(start))) > 0; start += length)
        {
            try
            {
                settlements.Add(new(SettlementRecord.Decode(records, start, length))
                {
                    Span = SettlementRecord.SpanOf(records.AsSpan(start, length)),
                });
            }
            catch (InvalidDataException e)
            {
                log.LogCritical(e, "not a settlement, and skipped: {Record}", Convert.ToBase64String(records, start, length));
            }
        }
        if (start < records.Length)
            log.LogCritical("not whole settlements, and skipped: {Rest}", Convert.ToBase64String(records, start, records.Length - start));
        return settlements;
    }
}
