using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>Writes what a batch adds to the roll-ups, by one statement.</summary>
static class RollupRows
{
    /// <summary>
    /// Whoever writes rows of a project holds the lock of its provider cost, because every settlement and every correction does. So two
    /// writers never wait for each other here.
    /// </summary>
    const string Upsert = """
        insert into rollup (
            project, test, grain, dimension, at, value, requests, failed, attempts, input, output, cost, charged, absorbed, covered, late)
        select * from unnest(
            $1::uuid[], $2::boolean[], $3::smallint[], $4::smallint[], $5::timestamptz[], $6::text[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[])
        on conflict (project, test, grain, dimension, at, value) do update set
            requests = rollup.requests + excluded.requests, failed = rollup.failed + excluded.failed,
            attempts = rollup.attempts + excluded.attempts, input = rollup.input + excluded.input,
            output = rollup.output + excluded.output, cost = rollup.cost + excluded.cost, charged = rollup.charged + excluded.charged,
            absorbed = rollup.absorbed + excluded.absorbed, covered = rollup.covered + excluded.covered,
            late = rollup.late + excluded.late
        """;

    internal static void AddTo(NpgsqlBatch batch, Dictionary<RollupKey, RollupSums> rows)
    {
        if (rows.Count == 0)
            return;
        RollupKey[] keys = [.. rows.Keys];
        RollupSums[] sums = [.. rows.Values];
        BookStore.Add(
            batch,
            Upsert,
            BookStore.Column(keys, key => key.Project),
            BookStore.Column(keys, key => key.Test),
            BookStore.Column(keys, key => (short)key.Grain),
            BookStore.Column(keys, key => (short)key.Dimension),
            BookStore.Column(keys, key => key.At),
            BookStore.Column(keys, key => key.Value),
            BookStore.Column(sums, sum => sum.Requests),
            BookStore.Column(sums, sum => sum.Failed),
            BookStore.Column(sums, sum => sum.Attempts),
            BookStore.Column(sums, sum => sum.Input),
            BookStore.Column(sums, sum => sum.Output),
            BookStore.Column(sums, sum => sum.Cost),
            BookStore.Column(sums, sum => sum.Charged),
            BookStore.Column(sums, sum => sum.Absorbed),
            BookStore.Column(sums, sum => sum.Covered),
            BookStore.Column(sums, sum => sum.Late));
    }
}
