using LlmGateway.Contracts;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>The rows of the usage log, and what could not become one.</summary>
static class UsageRows
{
    internal static readonly RowInsert<UsageRow> Insert = new RowInsert<UsageRow>("usage_record")
        .Column("request_id", "uuid", row => row.RequestId)
        .Column("organization", "uuid", row => row.Record.Organization)
        .Column("project", "uuid", row => row.Record.Project)
        .Column("customer", "uuid", row => row.Record.Customer)
        .Column("credential", "uuid", row => row.Record.Credential)
        .Column("family", "uuid", row => row.Record.Family)
        .Column("test", "boolean", row => row.Record.Test)
        .Column("endpoint", "text", row => row.Record.Endpoint)
        .Column("model", "text", row => row.Record.Model)
        .Column("provider", "text", row => row.Record.Provider)
        .Column("upstream_model", "text", row => row.Record.UpstreamModel)
        .Column("price_version", "uuid", row => row.Record.PriceVersion)
        .Column("stream", "boolean", row => row.Record.Stream)
        .Column("started_at", "timestamptz", row => row.Record.StartedAt)
        .Column("duration_ms", "integer", row => row.Record.DurationMs)
        .Column("first_byte_ms", "integer", row => row.Record.FirstByteMs)
        .Column("status", "smallint", row => (short)row.Record.Status)
        .Column("outcome", "smallint", row => (short)row.Record.Outcome)
        .ArrayColumn("meters", "bigint", Usage.Meters, Meters)
        .Column("cost", "bigint", row => row.Record.Cost.Nanos)
        .Column("charged", "bigint", row => row.Charged)
        .Column("absorbed", "bigint", row => row.Absorbed)
        .Column("covered", "bigint", row => row.Covered)
        .Column("is_covered", "boolean", row => row.IsCovered)
        .Column("counted", "text", row => Array(row.Counted, charge => charge.Register), cast: "uuid[]")
        .Column("counts", "text", row => Array(row.Counted, charge => charge.Value), cast: "bigint[]")
        .Column("lots", "text", row => Array(row.Lots, part => part.Lot), cast: "uuid[]")
        .Column("lot_paid", "text", row => Array(row.Lots, part => part.Amount), cast: "bigint[]")
        .Column("estimated", "boolean", row => row.Record.Estimated)
        .Column("reason", "text", row => row.Record.Reason)
        .Column("attempt_of", "uuid", row => row.Record.AttemptOf);

    /// <summary>An array as PostgreSQL writes it, because arrays of several lengths cannot stand in one parameter.</summary>
    internal static string? Array<TPart, TValue>(IReadOnlyList<TPart> parts, Func<TPart, TValue> value) =>
        parts.Count == 0 ? null : $"{{{string.Join(',', parts.Select(value))}}}";

    /// <summary>What providers said of their usage. A month that keeps it no longer has no place for it.</summary>
    internal static void AddRaw(NpgsqlBatch batch, Book book)
    {
        var rows = book.Usages.FindAll(row => row.Record.RawUsage is not null && book.MonthOf(row.RequestId) is { KeepsRaw: true });
        if (rows.Count > 0)
            batch.Add("insert into usage_raw (request_id, raw_usage) select * from unnest($1::uuid[], $2::text[])",
                rows.Column(row => row.RequestId),
                rows.Column(row => row.Record.RawUsage!));
    }

    /// <summary>A settlement that comes again is kept once.</summary>
    internal static void AddStale(NpgsqlBatch batch, Book book)
    {
        if (book.Stale.Count > 0)
            batch.Add("""
                insert into stale_settlement (request_id, record, reason, at)
                select *, $4 from unnest($1::uuid[], $2::bytea[], $3::text[]) on conflict do nothing
                """,
                book.Stale.Column(stale => stale.RequestId),
                book.Stale.Column(stale => stale.Record.ToArray()),
                book.Stale.Column(stale => stale.Reason),
                book.BookedAt);
    }

    static long[] Meters(IReadOnlyList<UsageRow> rows)
    {
        var meters = new long[rows.Count * Usage.Meters];
        for (var row = 0; row < rows.Count; row++)
            for (var meter = 0; meter < rows[row].Record.Meters.Count; meter++)
                meters[(row * Usage.Meters) + meter] = rows[row].Record.Meters[meter];
        return meters;
    }
}
