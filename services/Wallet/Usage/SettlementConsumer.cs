using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Takes batches of finished requests from the queue. A batch is acknowledged only after the commit; a redelivered settlement is recognised
/// by its request id. What the queue repeats, and when a batch goes to its error queue, says <see cref="DurableEndpoint"/>.
/// </summary>
public sealed class SettlementConsumer(Writer writer, LeaseSweeper sweeper, NpgsqlDataSource database, ILogger<SettlementConsumer> log)
    : IConsumer<SettlementBatch>
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
        var (settlements, unread) = Read(context.Message.Records);
        Failpoint.Hit("wallet.settlements.received");
        await writer.RunAsync(settlements);
        Failpoint.Hit("wallet.settlements.settled");
        if (context.Message.GoneHolder is { } holder)
        {
            await sweeper.EndHolderAsync(holder, context.CancellationToken);
            await RenewCalls.DoubtAsync(database, holder, context.CancellationToken);
        }
        if (unread is null)
            return;
        log.LogCritical("of {Count} settlements the others are booked: {Message}", settlements.Count, unread.Message);
        throw unread;
    }

    /// <summary>
    /// The settlements of a message, and what is wrong with the rest of it. A record that is no settlement must not stop the others; the
    /// message with it is kept in the error queue. Behind an impossible length nothing can be read any more.
    /// </summary>
    public static (List<Settle> Settlements, InvalidDataException? Unread) Read(byte[] records)
    {
        var settlements = new List<Settle>(SettlementBatch.MaxSettlements);
        InvalidDataException? unread = null;
        var start = 0;
        for (int length; (length = SettlementRecord.LengthOf(records.AsSpan(start))) > 0; start += length)
        {
            try
            {
                settlements.Add(new(SettlementRecord.Decode(records, start, length))
                {
                    Span = SettlementRecord.SpanOf(records.AsSpan(start, length)),
                    Record = records.AsMemory(start, length),
                });
            }
            catch (InvalidDataException e)
            {
                unread = new($"{length} bytes at {start} are no settlement: {e.InnerException?.Message ?? e.Message}", e);
            }
        }
        if (start < records.Length)
            unread = new($"the last {records.Length - start} of {records.Length} bytes are no whole settlement");
        return (settlements, unread);
    }
}
