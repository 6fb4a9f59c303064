using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Faults;

/// <summary>Leases and what is charged from them, as the ledger's tables have them.</summary>
static class LeaseTable
{
    /// <summary>Who leases in <see cref="OpenAsync"/>.</summary>
    const string Holder = "scale";

    /// <summary>One lease of so many is not given back.</summary>
    const int KeptOf = 10;

    const long Amount = 1_000;

    /// <summary>The database's clock.</summary>
    public static Task<DateTime> NowAsync() => OneAsync("select now()", row => row.GetDateTime(0));

    /// <summary>Leases of a proxy that hold something, and when the first of them ends; now if there are none.</summary>
    public static Task<(int Count, DateTime EndFirst)> HeldByAsync(string proxy) => OneAsync(
        """
        select count(*)::int, coalesce(min(expires_at), now()) from lease
        where split_part(holder, ':', 2) = $1 and not expired and 0 < any(holds)
        """,
        row => (row.GetInt32(0), row.GetDateTime(1)),
        $"{Stack.ProcessId(proxy)}");

    /// <summary>Requests of a model, all completed, with what they were charged and what the house bore.</summary>
    public static Task<(long Count, long Charged, long Absorbed)> UsageAsync(string model) => OneAsync(
        """
        select count(*), coalesce(sum(charged), 0)::bigint, coalesce(sum(absorbed), 0)::bigint from usage_record
        where project = $1 and model = $2 and outcome = 0
        """,
        row => (row.GetInt64(0), row.GetInt64(1), row.GetInt64(2)),
        ScaleApp.People.Project,
        model);

    /// <summary>
    /// Opens leases as customers do who come back after a pause: each is given back. One in ten is not, as if its proxy had died.
    /// </summary>
    public static Task OpenAsync(Person[] people, int count) => Crowd.DoAsync(count, async i =>
    {
        var (lease, wallet) = (Ids.New(), people[i % people.Length].Wallet);
        var request = new LeaseRequest(lease, 1, Holder, [new(wallet, 1, Amount, Amount, Amount)]);
        var answer = (await Population.WalletAsync(ServiceCall.Proxy, "/internal/leases", request)).MustBe(200);
        Assert.Equal([Amount], JsonSerializer.Deserialize<LeaseAnswer>(answer.Bytes, Defaults.Json)!.Granted);
        if (i % KeptOf != 0)
        {
            var give = new LeaseReturn(lease, 1, [new(wallet, Amount)]);
            (await Population.WalletAsync(ServiceCall.Proxy, "/internal/leases/return", give)).MustBe(204);
        }
    });

    /// <summary>As if a minute had passed without a word of their holder.</summary>
    public static Task EndAsync() => RunAsync(
        "update lease set expires_at = now() - interval '1 second' where holder = $1 and not expired", Holder);

    public static Task<long> RowsAsync() => OneAsync(
        "select count(*) from lease left join lease_account on lease = id where holder = $1", row => row.GetInt64(0), Holder);

    /// <summary>What the tables take on disk when the server has tidied them, as it does by itself once a minute.</summary>
    public static async Task<long> BytesAsync()
    {
        await RunAsync("vacuum lease, lease_account");
        return await OneAsync(
            "select pg_total_relation_size('lease') + pg_total_relation_size('lease_account')", row => row.GetInt64(0));
    }

    /// <summary>Rows that are only ever added.</summary>
    public static Task<long> BooksAsync() => OneAsync(
        "select (select count(*) from entry) + (select count(*) from transfer) + (select count(*) from usage_record)",
        row => row.GetInt64(0));

    static async Task<T> OneAsync<T>(string sql, Func<NpgsqlDataReader, T> read, params object[] values)
    {
        await using var query = Command(sql, values);
        await using var row = await query.ExecuteReaderAsync();
        Assert.True(await row.ReadAsync());
        return read(row);
    }

    static async Task RunAsync(string sql, params object[] values)
    {
        await using var command = Command(sql, values);
        await command.ExecuteNonQueryAsync();
    }

    static NpgsqlCommand Command(string sql, object[] values)
    {
        var command = Books.Wallet.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        return command;
    }
}
