using System.Collections.Concurrent;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Posts what requests have used of counters and only their leases have (<see cref="PostUses"/>), a second after that at the latest, so
/// that thresholds are told. What it forgets, in an outage or because there is too much of it, is posted with the lease's next command or
/// with its end.
/// </summary>
public sealed class LateUses : BackgroundService
{
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    const int MaxLeases = 100_000, MaxAtOnce = 200;

    readonly NpgsqlDataSource _database;
    readonly DatabaseReady _ready;
    readonly Writer _writer;
    readonly TimeProvider _time;
    readonly ILogger<LateUses> _log;
    readonly ConcurrentDictionary<Guid, Guid[]> _leases = new();

    public LateUses(NpgsqlDataSource database, DatabaseReady ready, Writer writer, TimeProvider time, ILogger<LateUses> log)
    {
        (_database, _ready, _writer, _time, _log) = (database, ready, writer, time, log);
        writer.Committed += Committed;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _ready.Task.WaitAsync(stoppingToken);
        var found = false;
        await Loop.RunAsync("late uses", Interval, async token =>
        {
            if (!found)
                await FindAsync(token);
            found = true;
            await PostAsync();
        }, _log, _time, stoppingToken);
    }

    /// <summary>What an instance has left that has ended.</summary>
    async Task FindAsync(CancellationToken token)
    {
        await using var query = _database.Sql("select id, accounts from lease where 0 < any(unposted_uses) limit $1", MaxLeases);
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            _leases.TryAdd(reader.GetGuid(0), reader.GetFieldValue<Guid[]>(1));
    }

    public async Task PostAsync()
    {
        foreach (var leases in _leases.ToArray().Chunk(MaxAtOnce))
        {
            foreach (var (lease, _) in leases)
                _leases.TryRemove(lease, out _);
            await _writer.RunAsync(Array.ConvertAll(leases, lease => new PostUses(lease.Key, lease.Value)));
        }
    }

    void Committed(Book book)
    {
        if (book.Unread.Count == 0)
            return;
        foreach (var (id, lease) in book.Leases)
            if (_leases.Count < MaxLeases && !_leases.ContainsKey(id) && lease.Lines.Values.Any(line => line.Unposted > 0))
                _leases.TryAdd(id, [.. lease.Lines.Keys]);
    }
}
