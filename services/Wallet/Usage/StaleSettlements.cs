using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /internal/stale-settlements</c>: settlements that could not be booked, because the usage log has no open month for them. A person
/// decides; nothing books them by itself.
/// </summary>
public static class StaleSettlements
{
    /// <summary>The newest that are shown.</summary>
    const int MaxShown = 100;

    public sealed record Shown(string Request, DateTimeOffset At, string Reason, string? Customer, string Model, Money Cost);

    public static void MapStaleSettlements(this WebApplication app) => app.MapGet("/internal/stale-settlements", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database)
    {
        await using var query = database.Sql(
            "select record, reason, at, count(*) over () from stale_settlement order by at desc, request_id limit $1", MaxShown);
        var (shown, count) = (new List<Shown>(), 0L);
        await using var row = await query.ExecuteReaderAsync(http.RequestAborted);
        while (await row.ReadAsync(http.RequestAborted))
        {
            var record = row.GetFieldValue<byte[]>(0);
            shown.Add(Show(SettlementRecord.Decode(record, 0, record.Length), row.GetString(1), row.GetFieldValue<DateTimeOffset>(2)));
            count = row.GetInt64(3);
        }
        return !http.WantsText() ? Results.Json(new { count, settlements = shown }, Defaults.Json)
            : count == 0 ? PlainText.Of(true, ["Every settlement was of a month that is open."])
            : PlainText.Of(false, [$"{count} SETTLEMENTS ARE NOT BOOKED.", .. shown.Select(Line)]);
    }

    /// <summary>The record, when it is the customer's and has what a provider said. Null when nothing is to be erased.</summary>
    public static byte[]? WithoutRawUsage(byte[] record, Guid customer)
    {
        var settlement = SettlementRecord.Decode(record, 0, record.Length);
        return settlement.Usage is { RawUsage: { } } usage && usage.Customer == customer
            ? SettlementRecord.Encode(settlement with { Usage = usage with { RawUsage = null } }, SettlementRecord.SpanOf(record)).ToArray()
            : null;
    }

    static Shown Show(Settlement settlement, string reason, DateTimeOffset at) => new(
        Ids.Show(Ids.Request, settlement.RequestId),
        at,
        reason,
        settlement.Usage.Customer is { } customer ? Ids.Show(Ids.Customer, customer) : null,
        settlement.Usage.Model,
        settlement.Usage.Cost);

    static string Line(Shown it) =>
        $"{it.Request}, {it.Reason} at {it.At:u}: {it.Cost} USD of {it.Customer ?? "nobody"} for {it.Model}";
}
