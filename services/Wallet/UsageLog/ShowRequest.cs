using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /v1/usage/requests/{id}</c>: what became of a request, by the id that its caller has: its attempts with what was counted, by
/// which price, who paid and how long it took, and what was corrected since.
/// </summary>
public static class ShowRequest
{
    /// <summary>Attempts that are shown. A request has one for each provider of its model, twice at most.</summary>
    const int MaxAttempts = 100;

    /// <summary>What paid a part of an attempt, or what it was counted on.</summary>
    /// <param name="Of">
    /// <c>wallet</c>, <c>absorbed</c> (by the house), <c>covered</c> (by quota or credits, or free), or a kind of register.
    /// </param>
    /// <param name="Unit">Null of a register that is gone.</param>
    /// <param name="Amount">USD as a decimal, or a count.</param>
    public sealed record CostLine(string Of, string? Unit, string Amount);

    /// <param name="Meters">Those that counted something, by name.</param>
    /// <param name="PriceVersion">As <c>GET /v1/models/{id}/prices</c> lists it.</param>
    public sealed record Attempt(
        string Id, string Provider, string UpstreamModel, Guid? PriceVersion, DateTimeOffset StartedAt, DateTimeOffset BookedAt,
        int DurationMs, int? FirstByteMs, int Status, RequestOutcome Outcome, bool Estimated, string? Reason,
        IReadOnlyDictionary<string, long> Meters, Money Cost, Money Charged, Money Absorbed, Money Covered, IReadOnlyList<CostLine> Lines);

    /// <param name="Charged">A difference, as the two that follow.</param>
    public sealed record Corrected(
        string Id, string Attempt, DateTimeOffset BookedAt, Guid PriceVersion, Money OldCost, Money NewCost, Money Charged, Money Absorbed,
        Money Covered);

    /// <param name="Cost">Of all attempts and corrections, as the three that follow.</param>
    public sealed record Answer(
        string Id, DateTimeOffset StartedAt, string? Customer, string Key, string Endpoint, string Model, bool Stream,
        RequestOutcome Outcome, Money Cost, Money Charged, Money Absorbed, Money Covered, IReadOnlyList<Attempt> Attempts,
        IReadOnlyList<Corrected> Corrections);

    /// <summary>A row of the log.</summary>
    sealed record Row(
        Guid Id, bool IsAttempt, Guid? Customer, Guid Credential, Guid? Family, string Endpoint, string Model, bool Stream,
        Attempt Shown, Guid[] Registers, long[] Counts);

    public static void MapShowRequest(this WebApplication app) => app.MapGet("/v1/usage/requests/{id}", HandleAsync).WithQuery();

    static async Task<IResult> HandleAsync(string id, HttpContext http, NpgsqlDataSource database)
    {
        var (caller, token) = (http.Backend(), http.RequestAborted);
        if (!Ids.TryParse(Ids.Request, id, out var request)
            || await ReadAsync(database, caller.Project, caller.Test, request, token) is not { } answer)
            return Problems.NotFound("request");
        return Results.Json(answer, Defaults.Json);
    }

    /// <summary>Null when the project has no such request, or it is not booked yet.</summary>
    public static async Task<Answer?> ReadAsync(
        NpgsqlDataSource database, Guid project, bool test, Guid request, CancellationToken token)
    {
        var rows = await RowsAsync(database, project, test, request, token);
        if (rows.Count == 0)
            return null;
        var registers = await RegistersAsync(database, [.. rows.SelectMany(row => row.Registers).Distinct()], token);
        var attempts = rows.ConvertAll(row => row.Shown with { Lines = LinesOf(row, registers) });
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

        Money Sum(Func<Attempt, Money> ofAttempt, Func<Corrected, Money> ofCorrection) =>
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

    static async Task<List<Corrected>> CorrectionsAsync(NpgsqlDataSource database, Guid[] requests, CancellationToken token)
    {
        await using var query = database.Sql("""
            select transfer, request_id, created_at, price_version, old_cost, new_cost, charged, absorbed, covered
            from correction where request_id = any($1) order by created_at, transfer
            """, requests);
        var corrections = new List<Corrected>();
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            corrections.Add(new(
                Ids.Show(Ids.Transfer, row.GetGuid(0)), Ids.Show(Ids.Request, row.GetGuid(1)), row.GetFieldValue<DateTimeOffset>(2),
                row.GetGuid(3), new(row.GetInt64(4)), new(row.GetInt64(5)), new(row.GetInt64(6)), new(row.GetInt64(7)),
                new(row.GetInt64(8))));
        return corrections;
    }

    static List<CostLine> LinesOf(Row row, Dictionary<Guid, (AccountKind Kind, Unit Unit)> registers)
    {
        var lines = new List<CostLine>();
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
