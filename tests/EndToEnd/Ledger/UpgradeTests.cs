using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.EndToEnd;

/// <summary>Migrations beside an instance of the version before that is just booking.</summary>
public sealed class UpgradeTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>It locks accounts, reads until when the sums are closed, and writes last.</summary>
    [Fact]
    public async Task A_batch_that_is_under_way_ends_before_the_tables_change_and_nobody_waits_in_a_circle()
    {
        var address = OwnLedger.NewDatabase();
        await OwnLedger.MigrateAsync(address, count: 16); // up to 0017
        await using var before = Npgsql.NpgsqlDataSource.Create(address);
        await using var connection = await before.OpenConnectionAsync(Token);
        await using var batch = await connection.BeginTransactionAsync(Token);
        await connection.RunAsync("select from account for update", Token);
        await connection.RunAsync("select until from sealed", Token);

        var starting = OwnLedger.StartAsync(address);
        await Eventually.HoldsAsync(async () =>
        {
            await using var waits = before.Sql("""
                select exists (select from pg_locks join pg_database on oid = database where not granted and datname = current_database())
                """);
            return await waits.ExecuteScalarAsync(Token) is true;
        }, "the wait for the batch");
        foreach (var written in (string[])["usage_record", "correction", "lot", "transfer", "window_opening"])
            await connection.RunAsync($"lock table {written} in row exclusive mode", Token);
        await batch.CommitAsync(Token);

        await using var ledger = await starting;
        await ledger.VerifyAsync();
    }

    [Fact]
    public async Task A_correction_of_before_says_whose_request_it_was()
    {
        var (address, customer) = (OwnLedger.NewDatabase(), Ids.New());
        await OwnLedger.MigrateAsync(address, count: 22); // up to 0023
        await using var before = Npgsql.NpgsqlDataSource.Create(address);
        await using (var open = before.Sql("select open_usage_months(current_date)"))
            await open.ExecuteNonQueryAsync(Token);
        await using (var insert = before.Sql("""
            with made as (
                insert into usage_record (
                    request_id, organization, project, customer, credential, test, endpoint, model, provider, upstream_model, stream,
                    started_at, duration_ms, status, outcome, meters, cost, charged, absorbed, estimated, created_at)
                select usage_id_from(now()), $1, $1, $1, $1, false, '', 'm', 'p', 'm', false, now(), 1, 200, 0, array[1], 9, 0, 0, false,
                    now()
                returning request_id)
            insert into correction (
                rerating, request_id, transfer, price_version, old_cost, new_cost, charged, absorbed, created_at)
            select $1, request_id, $1, $1, 9, 5, 0, 0, now() from made
            """, customer))
            await insert.ExecuteNonQueryAsync(Token);

        await using var ledger = await OwnLedger.StartAsync(address);

        Assert.Equal([$"{customer} {customer}"], await ledger.RowsAsync("select customer, project from correction"));
        await Assert.ThrowsAsync<Npgsql.PostgresException>(() => ledger.RunAsync("update correction set customer = null"));
    }
}
