using Npgsql;

namespace LlmGateway.Harness;

/// <summary>A transaction of somebody else that a call meets, open until it is committed or disposed of.</summary>
sealed class OpenTransaction(NpgsqlConnection connection, NpgsqlTransaction transaction) : IAsyncDisposable
{
    public static async Task<OpenTransaction> BeginAsync(NpgsqlDataSource database, string sql, params object[] values)
    {
        var connection = await database.OpenConnectionAsync();
        var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync();
        return new(connection, transaction);
    }

    public async Task<bool> IsWaitedForAsync()
    {
        await using var query = Books.Sessions.CreateCommand("select count(*) from pg_stat_activity where $1 = any(pg_blocking_pids(pid))");
        query.Parameters.Add(new() { Value = connection.ProcessID });
        return (long)(await query.ExecuteScalarAsync())! > 0;
    }

    public Task CommitAsync() => transaction.CommitAsync();

    public async ValueTask DisposeAsync()
    {
        await transaction.DisposeAsync();
        await connection.DisposeAsync();
    }
}
