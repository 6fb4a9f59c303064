using System.Diagnostics;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Npgsql;

namespace LlmGateway.Ledgers;

/// <param name="Postgres">CPU time of all of PostgreSQL's processes per piece of work, microseconds.</param>
/// <param name="Wallet">The same of this process.</param>
readonly record struct Figures(double PerSecond, double Postgres, double Wallet)
{
    /// <summary>CPU time of both, microseconds: says the same on a busy machine.</summary>
    public double Cost => Postgres + Wallet;
}

/// <summary>
/// Rates per second of the real writer on a real PostgreSQL with its default durability; every answer that is counted is committed.
/// </summary>
sealed class Measure(NpgsqlDataSource database, Writer writer, PostgresTime postgres, TimeSpan duration)
{
    const int Connections = 32, LeasesAtOnce = 256;

    /// <summary>Messages that the queue has in delivery at once.</summary>
    const int Messages = 4;

    /// <summary>As the queue delivers a backlog: messages as large as a proxy makes them.</summary>
    /// <param name="afterwards">What belongs to them, and is measured with them.</param>
    public Task<Figures> BatchedAsync(World world, Func<Task>? afterwards = null) =>
        BatchedAsync(world, Messages, SettlementBatch.MaxSettlements, afterwards);

    public Task<Figures> BatchedAsync(World world, int messages, int perMessage, Func<Task>? afterwards = null)
    {
        return RateAsync(Enumerable.Range(0, messages), SettleAsync, afterwards);

        async Task<int> SettleAsync(int message)
        {
            await writer.RunAsync([.. Enumerable.Range(0, perMessage).Select(_ => world.Settlement())]);
            return perMessage;
        }
    }

    /// <summary>The same statements for one settlement at a time: lock, write, commit.</summary>
    public Task<Figures> SingleAsync(World world)
    {
        return RateAsync(Enumerable.Range(0, Connections).Select(_ => new ExistingAccounts()), SettleAsync);

        async Task<int> SettleAsync(ExistingAccounts existing)
        {
            Command command = world.Settlement();
            await using var connection = await database.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            var book = await BookStore.LockAsync(connection, transaction, [command], existing, CancellationToken.None);
            Ledger.Apply(book, command);
            await BookStore.WriteAsync(connection, transaction, book, CancellationToken.None);
            await transaction.CommitAsync();
            existing.Remember(book);
            return 1;
        }
    }

    public Task<Figures> LeasesAsync(World world) => RateAsync(Enumerable.Range(0, LeasesAtOnce), async _ =>
    {
        await writer.RunAsync(world.Extension());
        return 1;
    });

    /// <summary>From handing a settlement to the writer until it is durable, when settlements come evenly.</summary>
    public async Task<(TimeSpan P50, TimeSpan P99)> DelayAsync(World world, double perSecond)
    {
        var delays = new List<Task<TimeSpan>>((int)(perSecond * duration.TotalSeconds) + 1);
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < duration; await Task.Delay(1))
            while (delays.Count < perSecond * clock.Elapsed.TotalSeconds)
                delays.Add(DelayAsync(world.Settlement()));
        var sorted = (await Task.WhenAll(delays)).Order().ToArray();
        return (sorted[sorted.Length / 2], sorted[sorted.Length * 99 / 100]);
    }

    /// <summary>Years of business: entries of other accounts, two to a transfer, with ids that grow as real ones do.</summary>
    public async Task FillAsync(int rows)
    {
        await using var entries = database.Sql("""
            insert into entry (account, version, transfer, type, amount, balance, created_at)
            select lpad(to_hex(n % 1000), 32, '0')::uuid, n / 1000 + 1, lpad(to_hex(n / 2), 32, '0')::uuid, 0, 1, n, now()
            from generate_series(1, $1) n
            """, rows);
        entries.CommandTimeout = 0;
        await entries.ExecuteNonQueryAsync();
        await TidyAsync();
    }

    /// <summary>What the server does by itself once a minute: tables without statistics are read from end to end.</summary>
    public async Task TidyAsync()
    {
        await using var tidy = database.Sql("vacuum (analyze)");
        tidy.CommandTimeout = 0;
        await tidy.ExecuteNonQueryAsync();
    }

    async Task<TimeSpan> DelayAsync(Command command)
    {
        var clock = Stopwatch.GetTimestamp();
        await writer.RunAsync(command);
        return Stopwatch.GetElapsedTime(clock);
    }

    async Task<Figures> RateAsync<T>(IEnumerable<T> workers, Func<T, Task<int>> work, Func<Task>? afterwards = null)
    {
        var (own, servers, clock) = (Environment.CpuUsage.TotalTime, postgres.Read(), Stopwatch.StartNew());
        var counts = await Task.WhenAll(workers.Select(worker => Task.Run(async () =>
        {
            var count = 0L;
            while (clock.Elapsed < duration)
                count += await work(worker);
            return count;
        })));
        if (afterwards is not null)
            await afterwards();
        var done = (double)counts.Sum();
        return new(
            done / clock.Elapsed.TotalSeconds,
            (postgres.Read() - servers).TotalMicroseconds / done,
            (Environment.CpuUsage.TotalTime - own).TotalMicroseconds / done);
    }
}
