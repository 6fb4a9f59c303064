using System.Data;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>All checks on one snapshot, because money may move meanwhile.</summary>
/// <param name="Since">What was booked before it was proved earlier, by the database's clock. Null: everything was read.</param>
public sealed record Proof(DateTimeOffset? Since, IReadOnlyList<Proof.Check> Checks)
{
    const int MaxExamples = 3;

    public sealed record Check(string Name, bool Ok, string Detail);

    public bool IsRight => Checks.All(check => check.Ok);

    public IResult Answer(HttpContext http, string right, string wrong) => http.WantsText()
        ? PlainText.Of(IsRight, [
            IsRight ? right : wrong,
            .. Since is { } since ? [$"What was booked before {since:u} was proved by the last seal and not read again."] : (string[])[],
            .. Checks.Select(Line)])
        : Results.Json(new { ok = IsRight, since = Since, checks = Checks }, Defaults.Json);

    static string Line(Check check) => $"{(check.Ok ? "ok    " : "WRONG ")}{check.Name}{(check.Ok ? "" : $": {check.Detail}")}";

    /// <summary>
    /// A snapshot that begins with the next statement. A month of the usage log that it has cannot be dropped while it lasts.
    /// </summary>
    public static async Task<NpgsqlTransaction> SnapshotAsync(NpgsqlConnection connection, CancellationToken token)
    {
        var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, token);
        await connection.RunAsync("lock table only usage_record in access share mode", token);
        return transaction;
    }

    /// <param name="full">Read everything, whatever was proved before.</param>
    /// <param name="atRest">Nothing runs, so leases must hold nothing.</param>
    public static async Task<Proof> RunAsync(NpgsqlConnection connection, bool full, bool atRest, CancellationToken token)
    {
        await using var query = connection.Sql("select proved_at from sealed");
        var since = full ? null : (DateTime?)(await query.ExecuteScalarAsync(token) as DateTime?);
        if (since is not null)
            foreach (var read in Wallet.Checks.ReadFresh)
                await connection.RunAsync(read, token);
        var rows = since is null ? Wallet.Checks.Full : Wallet.Checks.SinceSeal;
        var results = new List<Check>();
        foreach (var (name, breaches) in Wallet.Checks.All)
            results.Add(await RunAsync(connection, name, $"{rows}, {Breaches(breaches)}", token));
        if (atRest)
            results.Add(await RunAsync(connection, Wallet.Checks.AtRest.Name, $"with {Breaches(Wallet.Checks.AtRest.Breaches)}", token));
        return new(since, results);
    }

    /// <summary>
    /// All are found before some are shown. PostgreSQL believes otherwise that it need not look at all rows, and looks at each of them for
    /// a very long time.
    /// </summary>
    static string Breaches(string query) =>
        $"found (breach) as materialized ({query}) select breach, count(*) over () from found limit {MaxExamples}";

    static async Task<Check> RunAsync(NpgsqlConnection connection, string name, string sql, CancellationToken token)
    {
        await using var query = connection.Sql(sql);
        query.CommandTimeout = 0; // the books may be large; who asked may give up
        await using var reader = await query.ExecuteReaderAsync(token);
        var examples = new List<string>();
        var count = 0L;
        while (await reader.ReadAsync(token))
        {
            examples.Add(reader.GetString(0));
            count = reader.GetInt64(1);
        }
        return new(name, count == 0, count == 0 ? "" : $"{count} breaches, e.g. {string.Join("; ", examples)}");
    }
}
