using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>A message that a consumer has acted on, written in the transaction of the effect: a redelivery finds the row and does nothing.</summary>
public sealed class InboxMessage
{
    public required string Consumer { get; init; }
    public required Guid MessageId { get; init; }
    public DateTimeOffset ReceivedAt { get; init; }

    public static void Configure(ModelBuilder model) => model.Entity<InboxMessage>(message =>
    {
        message.HasKey(m => new { m.Consumer, m.MessageId });
        message.HasIndex(m => m.ReceivedAt);
    });

    /// <summary>True the first time, inside the caller's transaction; false for a repetition.</summary>
    public static async Task<bool> FirstTimeAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string consumer, Guid messageId, CancellationToken token)
    {
        await using var insert = connection.Sql("insert into inbox_message (consumer, message_id, received_at) values ($1, $2, now()) on conflict do nothing", consumer, messageId);
        insert.Transaction = transaction;
        return await insert.ExecuteNonQueryAsync(token) == 1;
    }
}
