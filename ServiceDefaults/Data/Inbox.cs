using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Messages that a consumer has acted on, in the table <c>inbox_message (consumer text, message_id uuid, received_at timestamptz, primary key (consumer,
/// message_id))</c> of the consumer's database: written in the transaction of the effect, so that a redelivery finds the row and does nothing. For effects
/// that have no id of their own; a settlement, for instance, is recognised by its request.
/// </summary>
public static class Inbox
{
    /// <summary>True the first time, inside the caller's transaction; false for a repetition.</summary>
    public static async Task<bool> FirstTimeAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string consumer, Guid messageId, CancellationToken token)
    {
        await using var insert = connection.Sql("insert into inbox_message (consumer, message_id, received_at) values ($1, $2, now()) on conflict do nothing", consumer, messageId);
        insert.Transaction = transaction;
        return await insert.ExecuteNonQueryAsync(token) == 1;
    }
}
