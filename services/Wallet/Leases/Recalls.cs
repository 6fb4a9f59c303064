using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Asks the proxies to return what is idle of a register that has run short. Best effort: a holder that does not answer in time keeps its
/// amounts, and the request is decided without them.
/// </summary>
public sealed class Recalls
{
    /// <summary>Longest wait. A proxy answers within milliseconds; one that is paused or dead must not delay a refusal longer.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// A holder that lives renews its leases every 15 seconds. Nobody waits for one that has not done so for this long: it is dead, or cut
    /// off, and each shortage until its leases end would wait for it in vain. It is asked all the same.
    /// </summary>
    static readonly TimeSpan RenewedWithin = TimeSpan.FromSeconds(20);

    /// <summary>A source of which nothing was idle is not called back again for so long.</summary>
    static readonly TimeSpan InUseFor = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A limit of which so many recalls in a row found nothing is not called back again for so long: who is refused and asks again at once
    /// must not cost every proxy a look each time. A request that ends meanwhile shows that much later.
    /// </summary>
    static readonly TimeSpan LimitInUseFor = TimeSpan.FromMilliseconds(100);
    const int MostInVain = 3;

    /// <summary>Registers whose last recall is remembered. Without it they are only called back more often.</summary>
    const int MaxRemembered = 10_000;

    static readonly TimeSpan Ttl = TimeSpan.FromSeconds(LeaseRequest.TtlSeconds);

    static readonly HashSet<Guid> Nothing = [];

    readonly ConcurrentDictionary<Guid, Waiting> _waiting = new();
    readonly Turns _turns = new();
    readonly ConcurrentDictionary<Guid, (long At, int InVain)> _inUse = new();
    readonly TimeProvider _time;
    readonly NpgsqlDataSource _database;
    readonly RedisClient _redis;

    public Recalls(NpgsqlDataSource database, RedisClient redis, TimeProvider time)
    {
        (_database, _redis, _time) = (database, redis, time);
        redis.Subscribe<RecallAnswer>(RecallAnswer.Channel, Answered);
    }

    /// <summary>Waits until no other recall of these registers runs in this process. Disposing the result lets the next one run.</summary>
    public Task<IDisposable> TurnAsync(IReadOnlyList<Guid> registers, CancellationToken token) => _turns.TakeAsync(registers, token);

    /// <summary>
    /// The registers of a request of which recalls found nothing idle a moment ago. What others hold of them, their requests need, so the
    /// request may pass a source, and is refused by a limit: what is in use must not be called back for each request.
    /// </summary>
    public IReadOnlySet<Guid> InUse(LeaseRequest request)
    {
        if (_inUse.IsEmpty)
            return Nothing;
        var firstSource = request.FirstSource ?? request.Lines.Count;
        // What a source that stands alone does not have, nothing else pays.
        var sources = request.Lines.Count - firstSource < 2 ? request.Lines.Count : firstSource;
        return request.Lines.Where((line, i) => i < firstSource
                ? line.Counter is not null && IsLimitInUse(line.Register)
                : i >= sources && IsSourceInUse(line.Register))
            .Select(line => line.Register).ToHashSet();
    }

    bool IsSourceInUse(Guid register) => _inUse.TryGetValue(register, out var found) && _time.GetElapsedTime(found.At) < InUseFor;

    bool IsLimitInUse(Guid register) =>
        _inUse.TryGetValue(register, out var found) && found.InVain >= MostInVain && _time.GetElapsedTime(found.At) < LimitInUseFor;

    /// <summary>A recall of these registers has brought nothing.</summary>
    public void FoundInUse(IReadOnlyList<Guid> registers)
    {
        if (_inUse.Count >= MaxRemembered)
            _inUse.Clear();
        foreach (var register in registers)
            _inUse.AddOrUpdate(
                register,
                static (_, recalls) => (recalls._time.GetTimestamp(), 1),
                static (_, before, recalls) => (
                    recalls._time.GetTimestamp(), recalls._time.GetElapsedTime(before.At) < InUseFor ? before.InVain + 1 : 1),
                this);
    }

    /// <summary>A recall of these registers has brought something.</summary>
    public void FoundIdle(IReadOnlyList<Guid> registers)
    {
        foreach (var register in registers)
            _inUse.TryRemove(register, out _);
    }

    /// <summary>Posts what leases have used of counters, so that nobody is told that it may come back.</summary>
    public async Task PostUsesAsync(Writer writer, IReadOnlyList<Guid> registers, CancellationToken token)
    {
        var leases = await _database.ByIndexAsync(async connection =>
        {
            await using var query = connection.Sql("""
                select distinct id from lease_account found join lease on id = found.lease
                where found.account = any($1) and unposted_uses[array_position(accounts, found.account)] > 0
                """, registers.ToArray());
            var found = new List<Guid>();
            await using var reader = await query.ExecuteReaderAsync(token);
            while (await reader.ReadAsync(token))
                found.Add(reader.GetGuid(0));
            return found;
        }, token);
        await writer.RunAsync(leases.ConvertAll(lease => new PostUses(lease, registers)));
    }

    /// <summary>Returns when every other holder that is worth waiting for has answered, or after the longest wait.</summary>
    public async Task CallBackAsync(IReadOnlyList<Guid> registers, Guid except, CancellationToken token)
    {
        var left = await HoldersAsync(registers, except, token);
        if (left.Count == 0 || !_redis.IsConnected)
            return;
        var recall = new Recall(Ids.New(), registers[0], except) { Also = [.. registers.Skip(1)] };
        var waiting = _waiting[recall.Id] = new Waiting([.. left.Where(lease => HolderLives(lease.Left)).Select(lease => lease.Holder)]);
        try
        {
            Failpoint.Hit("wallet.recall.publish");
            await _redis.PublishAsync(Recall.Channel, recall);
            await waiting.Done.Task.WaitAsync(Patience, token);
        }
        catch (TimeoutException)
        {
            // The request is decided on what was returned.
        }
        finally
        {
            _waiting.TryRemove(recall.Id, out _);
        }
    }

    void Answered(RecallAnswer answer)
    {
        if (_waiting.TryGetValue(answer.Recall, out var waiting))
            waiting.Answered(answer.Holder);
    }

    /// <summary>
    /// Whether a lease with so much time left has a holder that lives. One that was handed over lives for a day, and nothing of it is idle.
    /// </summary>
    public static bool HolderLives(TimeSpan left) => left > Ttl - RenewedWithin && left < 2 * Ttl;

    /// <summary>Who holds something of the register, and how long until that lease ends, on the database's clock.</summary>
    Task<List<(string Holder, TimeSpan Left)>> HoldersAsync(
        IReadOnlyList<Guid> registers, Guid except, CancellationToken token) => _database.ByIndexAsync(async connection =>
    {
        await using var query = connection.Sql("""
            select holder, expires_at - now() from lease_account found join lease on id = found.lease
            where found.account = any($1) and holds[array_position(accounts, found.account)] > 0 and id <> $2 and not expired
            """, registers.ToArray(), except);
        var holders = new List<(string, TimeSpan)>();
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            holders.Add((reader.GetString(0), reader.GetTimeSpan(1)));
        return holders;
    }, token);

    sealed class Waiting
    {
        readonly HashSet<string> _holders;

        public Waiting(HashSet<string> holders)
        {
            _holders = holders;
            if (holders.Count == 0)
                Done.SetResult();
        }

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Answered(string holder)
        {
            lock (_holders)
            {
                _holders.Remove(holder);
                if (_holders.Count == 0)
                    Done.TrySetResult();
            }
        }
    }
}
