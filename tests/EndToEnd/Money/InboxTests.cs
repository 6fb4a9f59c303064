using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>What no caller sees, on a real server: a consumer acts on a message once, in the transaction of its effect.</summary>
public sealed class InboxTests
{
    [Fact]
    public async Task A_message_counts_once_and_not_at_all_when_the_effect_is_rolled_back()
    {
        var token = TestContext.Current.CancellationToken;
        await using var database = NpgsqlDataSource.Create(Stack.Connection("sessions"));
        await using var connection = await database.OpenConnectionAsync(token);
        await using (var create = connection.CreateCommand())
        {
            create.CommandText =
                "create temp table inbox_message (consumer text, message_id uuid, received_at timestamptz, "
                + "primary key (consumer, message_id))";
            await create.ExecuteNonQueryAsync(token);
        }
        var message = Guid.NewGuid();

        Assert.True(await ReceiveAsync(commit: false));
        Assert.True(await ReceiveAsync(commit: true));
        Assert.False(await ReceiveAsync(commit: true));

        async Task<bool> ReceiveAsync(bool commit)
        {
            await using var transaction = await connection.BeginTransactionAsync(token);
            var first = await Inbox.FirstTimeAsync(connection, transaction, "test", message, token);
            await (commit ? transaction.CommitAsync(token) : transaction.RollbackAsync(token));
            return first;
        }
    }
}
