using Npgsql;
using NpgsqlTypes;

namespace LlmGateway.Wallet;

/// <summary>
/// Inserts any number of rows by one statement. Each column is one parameter: an array with the values of all rows. The column
/// <c>created_at</c> is the same for all rows.
/// </summary>
/// <remarks>The statement's text is always the same, so that each connection plans it once.</remarks>
sealed class RowInsert<TRow>(string table)
{
    readonly List<string> _names = [], _unnested = [], _arrays = [], _values = [];
    readonly List<Func<IReadOnlyList<TRow>, object>> _columns = [];
    string? _sql;

    /// <param name="type">The type of a value in PostgreSQL.</param>
    /// <param name="cast">The type of the column, where it is another one.</param>
    public RowInsert<TRow> Column<TValue>(string name, string type, Func<TRow, TValue> value, string? cast = null)
    {
        _columns.Add(rows => rows.Column(value));
        _names.Add(name);
        _unnested.Add(name);
        _arrays.Add($"${_columns.Count}::{type}[]");
        _values.Add(cast is null ? $"r.{name}" : $"r.{name}::{cast}");
        return this;
    }

    /// <summary>
    /// A column whose values are arrays of one length. They stand one after the other in the parameter: PostgreSQL cannot unnest an array
    /// of arrays row by row.
    /// </summary>
    /// <param name="length">Length of each row's array.</param>
    public RowInsert<TRow> ArrayColumn<TValue>(string name, string type, int length, Func<IReadOnlyList<TRow>, TValue[]> values)
    {
        _columns.Add(values);
        _names.Add(name);
        _values.Add($"(${_columns.Count}::{type}[])[(r.n - 1) * {length} + 1 : r.n * {length}]");
        return this;
    }

    public void AddTo(NpgsqlBatch batch, IReadOnlyList<TRow> rows, DateTimeOffset createdAt)
    {
        if (rows.Count > 0)
            batch.Add(_sql ??= Sql(), [.. _columns.Select(values => values(rows)), createdAt]);
    }

    string Sql() => $"""
        insert into {table} ({string.Join(", ", _names)}, created_at)
        select {string.Join(", ", _values)}, ${_columns.Count + 1}
        from unnest({string.Join(", ", _arrays)}) with ordinality as r ({string.Join(", ", _unnested)}, n)
        """;
}

/// <summary>Statements over any number of rows: each column is one parameter.</summary>
static class Rows
{
    public static TColumn[] Column<TRow, TColumn>(this IReadOnlyList<TRow> rows, Func<TRow, TColumn> value)
    {
        var column = new TColumn[rows.Count];
        for (var i = 0; i < column.Length; i++)
            column[i] = value(rows[i]);
        return column;
    }

    public static void Add(this NpgsqlBatch batch, string sql, params object[] values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(value is string?[] texts
                ? new NpgsqlParameter { Value = texts, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text }
                : new NpgsqlParameter { Value = value });
        batch.BatchCommands.Add(command);
    }
}
