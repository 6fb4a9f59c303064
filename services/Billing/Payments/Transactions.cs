using System.Diagnostics.CodeAnalysis;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>Changes of one payment and of all that belongs to it, one after the other. No call to anybody is made in one.</summary>
public static class Transactions
{
    /// <summary>Runs <paramref name="change"/> with the payment as it is now, and commits.</summary>
    public static async Task<T> WithLockedAsync<T>(
        this NpgsqlDataSource database, Guid payment, Func<NpgsqlConnection, Payment, Task<T>> change, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        var result = await change(connection, await connection.LockAsync(payment, token));
        await transaction.CommitAsync(CancellationToken.None);
        return result;
    }

    public static async Task<int> ChangeAsync(
        this NpgsqlConnection connection, [StringSyntax("sql")] string text, CancellationToken token, params object?[] values)
    {
        await using var command = connection.Sql(text, values);
        return await command.ExecuteNonQueryAsync(token);
    }
}
