using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

namespace LlmGateway.Ledgers;

/// <summary>Rows of years of business, made by the server.</summary>
static class Years
{
    const int Customers = 1000, Models = 10, Providers = 3, PerStatement = 1_000_000;

    /// <summary>Customers that are busy at the same time, each hour others. So each day all are.</summary>
    const int Busy = 50;

    /// <summary>
    /// Three days ago the newest of them was booked: later sums are those of the measurements. So many days before, the oldest.
    /// </summary>
    const int Newest = 3, Days = 90;

    const string Numbered = """
        create or replace function numbered(kind text, n bigint) returns uuid language sql immutable as $$
            select (rpad(kind, 20, '0') || lpad(to_hex(n), 12, '0'))::uuid
        $$
        """;

    /// <summary>Requests of one project's customers, evenly over 90 days, metered without a wallet, and summed up.</summary>
    public static async Task<Guid> UsageAsync(OwnBooks books, int rows)
    {
        var project = Ids.New();
        await using var connection = await books.Database.OpenConnectionAsync();
        await RunAsync(Numbered);
        await RunAsync("""
            select open_usage_month(month::date)
            from generate_series(date_trunc('month', now() - $1), now(), interval '1 month') as month
            where month::date not in (select month from usage_month)
            """, TimeSpan.FromDays(Newest + Days + 1));
        await RunAsync("update summed set until = now() - $1", TimeSpan.FromDays(Newest + Days + 1));
        for (var from = 0; from < rows; from += PerStatement)
            await RunAsync("""
                insert into usage_record (
                    request_id, organization, project, customer, credential, family, test, endpoint, model, provider, upstream_model,
                    stream, started_at, duration_ms, first_byte_ms, status, outcome, meters, cost, charged, absorbed, estimated, created_at)
                select overlay(gen_random_uuid()::text placing left(usage_id_from(at)::text, 13) from 1 for 13)::uuid, $2, $1,
                    numbered('c', customer), numbered('d', customer), numbered('f', customer), false, '/v1/chat/completions',
                    'model-' || n % $4, 'provider-' || n % $5, 'model', false, at, 800, 300, 200, 0,
                    array[14, 0, 0, 0, 200, 0, 0, 0, 0, 0], 1234, 0, 0, false, at + interval '1 second'
                from generate_series($6::bigint, $7::bigint) as n, lateral (values (
                    now() - $8::interval - (($9 - n)::float8 / $9) * interval '90 days',
                    (n * 90 * 24 / $9 * $10 + n % $10) % $3)) as made (at, customer)
                """, project, Ids.New(), Customers, Models, Providers, (long)from, (long)Math.Min(from + PerStatement, rows) - 1,
                TimeSpan.FromDays(Newest), (long)rows, (long)Busy);
        await RunAsync("vacuum (analyze)");
        await books.Rollups.SumUpAsync(CancellationToken.None);
        await RunAsync("vacuum (analyze)");
        return project;

        Task RunAsync(string sql, params object[] values) => connection.RunAsync(sql, CancellationToken.None, values);
    }

    /// <summary>Entries of a thousand balances, as if they had been proved with everything else.</summary>
    public static async Task EntriesAsync(OwnBooks books, int rows)
    {
        await using var connection = await books.Database.OpenConnectionAsync();
        await RunAsync(Numbered);
        for (var from = 0; from < rows; from += PerStatement)
            await RunAsync("""
                insert into entry (account, version, transfer, type, amount, balance, created_at)
                select numbered('e', n % 1000), n / 1000 + 1, numbered('1', n / 2), 0, 1, n / 1000 + 1, now() - interval '3 days'
                from generate_series($1::bigint, $2::bigint) as n
                """, (long)from, (long)Math.Min(from + PerStatement, rows) - 1);
        await RunAsync("""
            insert into account (id, kind, unit, organization, project, owner, test, posted, version, spent)
            select account, 0, 0, $1, $1, account, false, count(*), count(*), -count(*) from entry
            where account >= numbered('e', 0) and account <= numbered('e', 1000) group by account
            """, Ids.New());
        await RunAsync("vacuum (analyze)");
        await using var transaction = await connection.BeginTransactionAsync();
        await using var clock = connection.Sql("select clock_timestamp()");
        await Seals.WriteAsync(connection, (DateTime)(await clock.ExecuteScalarAsync())!, CancellationToken.None);
        await transaction.CommitAsync();

        Task RunAsync(string sql, params object[] values) => connection.RunAsync(sql, CancellationToken.None, values);
    }
}
