using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /internal/projects/{project}/usage/{request}?test=</c>: what became of a request, by the id that its caller has: its attempts
/// with what was counted, by which price, who paid and how long it took, and what was corrected since. Sessions, which has the prices, asks
/// it for backends.
/// </summary>
public static class FindRequest
{
    /// <summary>Attempts that are shown. A request has one for each provider of its model, twice at most.</summary>
    const int MaxAttempts = 100;

    /// <summary>A row of the log.</summary>
    sealed record Row(
        Guid Id, bool IsAttempt, Guid? Customer, Guid Credential, Guid? Family, string Endpoint, string Model, bool Stream,
        BookedAttempt Shown, Guid[] Registers, long[] Counts);

    public static void MapFindRequest(this WebApplication app) => app.MapGet(
        "/internal/projects/{project:guid}/usage/{request:guid}",
        async (Guid project, Guid request, bool test, NpgsqlDataSource database, CancellationToken token) =>
            await ReadAsync(database, project, test, request, token) is { } found
                ? Results.Json(found, Defaults.Json)
                : Problems.NotFound("request"));

    /// <summary>Null when the project has no such request, or it is not booked yet.</summary>
    public static async Task<BookedRequest?> ReadAsync(
        NpgsqlDataSource database, Guid project, bool test, Guid request, CancellationToken token)
    {
        var rows = await RowsAsync(database, project, test, request, token);
        if (rows.Count == 0)
            return null;
        var registers = await RegistersAsync(database, [.. rows.SelectMany(row => row.Registers).Distinct()], token);
        var attempts = rows.ConvertAll(row => row.Shown with { PaidBy = PaidBy(row, registers) });
        var corrections = await CorrectionsAsync(database, [.. rows.Select(row => row.Id)], token);
        var last = rows.Find(row => !row.IsAttempt) ?? rows[^1];
        return new(
            Ids.Show(Ids.Request, request),
            attempts[0].StartedAt,
            last.Customer is { } customer ? Ids.Show(Ids.Customer, customer) : null,
            UsageLog.KeyOf(last.Credential, last.Family),
            last.Endpoint,
            last.Model,
            last.Stream,
            last.Shown.Outcome,
            Sum(one => one.Cost, one => new(one.NewCost.Nanos - one.OldCost.Nanos)),
            Sum(one => one.Charged, one => one.Charged),
            Sum(one => one.Absorbed, one => one.Absorbed),
            Sum(one => one.Covered, one => one.Covered),
            attempts,
            corrections);

        Money Sum(Func<BookedAttempt, Money> ofAttempt, Func<BookedCorrection, Money> ofCorrection) =>
            new(attempts.Sum(one => ofAttempt(one).Nanos) + corrections.Sum(one => ofCorrection(one).Nanos));
    }

    static async Task<List<Row>> RowsAsync(
        NpgsqlDataSource database, Guid project, bool test, Guid request, CancellationToken token)
    {
        await using var query = database.Sql("""
            select request_id, attempt_of is not null, customer, credential, family, endpoint, model, stream, provider, upstream_model,
                price_version, started_at, created_at, duration_ms, first_byte_ms, status, outcome, estimated, reason, meters, cost,
                charged, absorbed, covered, coalesce(counted, '{}'), coalesce(counts, '{}')
            from (
                select * from usage_record where request_id = $1
                union all
                select * from usage_record where attempt_of = $1) as found
            where project = $2 and test = $3 order by started_at, request_id limit $4
            """, request, project, test, MaxAttempts);
        var rows = new List<Row>();
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            rows.Add(new(
                row.GetGuid(0), row.GetBoolean(1), row.IsDBNull(2) ? null : row.GetGuid(2), row.GetGuid(3),
                row.IsDBNull(4) ? null : row.GetGuid(4), row.GetString(5), row.GetString(6), row.GetBoolean(7),
                new(
                    Ids.Show(Ids.Request, row.GetGuid(0)), row.GetString(8), row.GetString(9),
                    row.IsDBNull(10) ? null : row.GetGuid(10), row.GetFieldValue<DateTimeOffset>(11),
                    row.GetFieldValue<DateTimeOffset>(12), row.GetInt32(13), row.IsDBNull(14) ? null : row.GetInt32(14),
                    row.GetInt16(15), (RequestOutcome)row.GetInt16(16), row.GetBoolean(17), row.IsDBNull(18) ? null : row.GetString(18),
                    MetersOf(row.GetFieldValue<long[]>(19)), new(row.GetInt64(20)), new(row.GetInt64(21)), new(row.GetInt64(22)),
                    new(row.GetInt64(23)), []),
                row.GetFieldValue<Guid[]>(24), row.GetFieldValue<long[]>(25)));
        return rows;
    }

    static async Task<Dictionary<Guid, (AccountKind Kind, Unit Unit)>> RegistersAsync(
        NpgsqlDataSource database, Guid[] registers, CancellationToken token)
    {
        await using var query = database.Sql("select id, kind, unit from account where id = any($1)", registers);
        var found = new Dictionary<Guid, (AccountKind, Unit)>();
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            found.Add(row.GetGuid(0), ((AccountKind)row.GetInt16(1), (Unit)row.GetInt16(2)));
        return found;
    }

    static async Task<List<BookedCorrection>> CorrectionsAsync(NpgsqlDataSource database, Guid[] requests, CancellationToken token)
    {
        await using var query = database.Sql("""
            select transfer, request_id, created_at, price_version, old_cost, new_cost, charged, absorbed, covered
            from correction where request_id = any($1) order by created_at, transfer
            """, requests);
        var corrections = new List<BookedCorrection>();
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            corrections.Add(new(
                Ids.Show(Ids.Transfer, row.GetGuid(0)), Ids.Show(Ids.Request, row.GetGuid(1)), row.GetFieldValue<DateTimeOffset>(2),
                row.GetGuid(3), new(row.GetInt64(4)), new(row.GetInt64(5)), new(row.GetInt64(6)), new(row.GetInt64(7)),
                new(row.GetInt64(8))));
        return corrections;
    }

    static List<PaidLine> PaidBy(Row row, Dictionary<Guid, (AccountKind Kind, Unit Unit)> registers)
    {
        var lines = new List<PaidLine>();
        foreach (var (of, amount) in
            ((string, Money)[])[("wallet", row.Shown.Charged), ("absorbed", row.Shown.Absorbed), ("covered", row.Shown.Covered)])
            if (amount != Money.Zero)
                lines.Add(new(of, "usd", amount.ToString()));
        foreach (var (register, count) in row.Registers.Zip(row.Counts))
            lines.Add(registers.TryGetValue(register, out var it)
                ? new(
                    CamelCase(it.Kind.ToString()),
                    it.Unit is Unit.Usd or Unit.UsdLimit ? "usd" : CamelCase(it.Unit.ToString()),
                    it.Unit is Unit.Usd or Unit.UsdLimit ? new Money(count).ToString() : $"{count}")
                : new("endedCounter", null, $"{count}"));
        return lines;
    }

    static Dictionary<string, long> MetersOf(long[] units)
    {
        var usage = Usage.From(units);
        return Enum.GetValues<Meter>().Where(meter => usage[meter] != 0)
            .ToDictionary(meter => CamelCase(meter.ToString()), meter => usage[meter]);
    }

    static string CamelCase(string name) => JsonNamingPolicy.CamelCase.ConvertName(name);
}
