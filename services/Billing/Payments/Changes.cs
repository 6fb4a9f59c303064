using System.Diagnostics.CodeAnalysis;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>Changes of rows: by one statement, or of one payment and all that belongs to it, one change after the other.</summary>
public static class Changes
{
    /// <summary>Runs <paramref name="change"/> with the payment as it is now, and commits. No call to anybody is made in it.</summary>
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

    /// <summary>One statement, and a transaction of its own.</summary>
    /// <returns>How many rows were changed.</returns>
    public static async Task<int> ChangeAsync(
        this NpgsqlDataSource database, [StringSyntax("sql")] string text, CancellationToken token, params object?[] values)
    {
        await using var command = database.Sql(text, values);
        return await command.ExecuteNonQueryAsync(token);
    }

    /// <summary>One statement, in the transaction that the connection is in.</summary>
    /// <returns>How many rows were changed.</returns>
    public static async Task<int> ChangeAsync(
        this NpgsqlConnection connection, [StringSyntax("sql")] string text, CancellationToken token, params object?[] values)
    {
        await using var command = connection.Sql(text, values);
        return await command.ExecuteNonQueryAsync(token);
    }
}
