using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Messages that a consumer has handled, in the table <c>inbox_message (consumer text, message_id uuid, received_at timestamptz, primary
/// key (consumer, message_id))</c> of its database. The row is written in the transaction of the effect, so a redelivery finds it and does
/// nothing. It is for effects without an id of their own. A settlement, for instance, is recognised by its request id.
/// </summary>
public static class Inbox
{
    /// <summary>True the first time, and false for a repetition. The row becomes durable with the caller's transaction.</summary>
    public static async Task<bool> FirstTimeAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string consumer, Guid messageId, CancellationToken token)
    {
        await using var insert = connection.Sql(
            "insert into inbox_message (consumer, message_id, received_at) values ($1, $2, now()) on conflict do nothing",
            consumer,
            messageId);
        insert.Transaction = transaction;
        return await insert.ExecuteNonQueryAsync(token) == 1;
    }
}
