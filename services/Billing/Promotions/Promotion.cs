using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>A code that gives credit, nano-dollars.</summary>
/// <param name="ExpiresAt">The code. Null: never.</param>
/// <param name="LotDays">What it gives expires after so many days. Null: never.</param>
/// <param name="PerCustomer">How often one customer may have it.</param>
public sealed record Promotion(
    Guid Id, Guid Organization, Guid Project, bool Test, string Code, long Amount, DateTimeOffset? ExpiresAt, int? LotDays,
    int MaxRedemptions, int PerCustomer, int Redeemed, DateTimeOffset CreatedAt)
{
    public const int MinCode = 3, MaxCode = 64;

    public const string Columns = """
        id, organization, project, test, code, amount, expires_at, lot_days, max_redemptions, per_customer, redeemed, created_at, ended_at
        """;

    /// <summary>When somebody has ended it. Null: nobody has.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>
    /// Codes are the same in small and capital letters, and with space around them, as they are copied. Null: no code can be like that.
    /// </summary>
    public static string? CodeOf(string text)
    {
        var code = text.Trim();
        return code.Length is >= MinCode and <= MaxCode && code.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
            ? code.ToUpperInvariant()
            : null;
    }

    public static async Task<List<Promotion>> ReadAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var _ = query;
        await using var row = await query.ExecuteReaderAsync(token);
        var found = new List<Promotion>();
        while (await row.ReadAsync(token))
            found.Add(new(
                row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), row.GetBoolean(3), row.GetString(4), row.GetInt64(5),
                row.IsDBNull(6) ? null : row.GetFieldValue<DateTimeOffset>(6), row.IsDBNull(7) ? null : row.GetInt32(7),
                row.GetInt32(8), row.GetInt32(9), row.GetInt32(10), row.GetFieldValue<DateTimeOffset>(11))
            {
                EndedAt = row.IsDBNull(12) ? null : row.GetFieldValue<DateTimeOffset>(12),
            });
        return found;
    }

    const string ById = $"select {Columns} from promotion where id = $1";

    public static async Task<Promotion?> FindAsync(NpgsqlDataSource database, Guid id, CancellationToken token) =>
        await ReadAsync(database.Sql(ById, id), token) is [var one] ? one : null;

    /// <summary>Makes, changes or ends a promotion, which the audit is told: all but its code, which is worth money.</summary>
    /// <returns>How many rows were changed.</returns>
    public static Task<int> ChangeAsync(
        NpgsqlDataSource database, HttpContext http, Guid id, Func<NpgsqlConnection, Task<int>> change, CancellationToken token) =>
        database.ChangeAuditedAsync(
            http, new("promotion", Ids.Show(Ids.Promotion, id)) { Verb = "ended" },
            async connection => await ReadAsync(connection.Sql(ById, id), token) is [var one] ? one : null,
            one => new
            {
                Code = AuditedChange.Hidden, Amount = new Money(one.Amount), one.ExpiresAt, one.LotDays, one.MaxRedemptions,
                one.PerCustomer, one.EndedAt,
            },
            change, token);

    public static async Task<Promotion?> FindAsync(
        NpgsqlDataSource database, Guid project, bool test, string code, CancellationToken token) =>
        await ReadAsync(
            database.Sql($"select {Columns} from promotion where project = $1 and test = $2 and code = $3", project, test, code), token)
            is [var one] ? one : null;
}
