using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Copies in Redis of what end users see of their wallets (<see cref="OwnWallet"/>), so that proxies can answer from there. There is one
/// of each wallet that somebody has looked at a moment ago. It is replaced after each commit that has moved the wallet, beside the ledger's
/// path. Copies have versions, so whoever is slower cannot put an older one back. A copy ends before a lot in it expires. Where Redis has
/// none, Wallet is asked.
/// </summary>
public sealed class HotBalances : BackgroundService
{
    /// <summary>An update that is lost, because Redis was away for a moment, shows an old balance for no longer than this.</summary>
    static readonly TimeSpan Life = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Redis counts a copy's life from when it has it. On its way there it is for no longer than this, or Redis counts as away.
    /// </summary>
    static readonly TimeSpan OnItsWay = TimeSpan.FromMilliseconds(500);

    /// <summary>Wallets that wait. Those beyond it wait for the end of their copies.</summary>
    const int MaxMoved = 50_000;

    const int MaxAtOnce = 500;

    readonly NpgsqlDataSource _database;
    readonly RedisClient _redis;
    readonly TimeProvider _time;
    readonly ILogger<HotBalances> _log;
    readonly ConcurrentDictionary<Guid, bool> _moved = new();
    readonly WakeSignal _added = new();

    public HotBalances(NpgsqlDataSource database, RedisClient redis, Writer writer, TimeProvider time, ILogger<HotBalances> log)
    {
        (_database, _redis, _time, _log) = (database, redis, time, log);
        writer.Committed += Committed;
    }

    /// <summary>
    /// Reads what a wallet's owner sees, and keeps a copy; null where there is no wallet. Whoever is told of a credit or a debit after this
    /// sees it.
    /// </summary>
    public async Task<byte[]?> RefreshAsync(Guid wallet, CancellationToken token)
    {
        var asked = _time.GetTimestamp();
        if (await OwnWallet.ReadAsync(_database, [wallet], token) is not [var shown])
            return null;
        await KeepAsync(shown, asked);
        // A commit after the reading found no copy to replace, if this is the first one.
        Add(wallet);
        return shown.Json;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Loop.RunAsync("hot balances", async token =>
    {
        await _added.WaitAsync(token);
        while (_moved.Select(moved => moved.Key).Take(MaxAtOnce).ToList() is { Count: > 0 } wallets)
            await ReplaceAsync(wallets, token);
    }, _log, _time, stoppingToken);

    async Task ReplaceAsync(List<Guid> wallets, CancellationToken token)
    {
        // Before the reading: what moves after it comes again.
        foreach (var wallet in wallets)
            _moved.TryRemove(wallet, out _);
        var exist = await _redis.ExistAsync(wallets.ConvertAll(WalletCopy.Key));
        var watched = wallets.Where((_, i) => exist[i]).ToArray();
        var asked = _time.GetTimestamp();
        if (watched.Length > 0)
            await Task.WhenAll((await OwnWallet.ReadAsync(_database, watched, token)).Select(shown => KeepAsync(shown, asked)));
    }

    /// <param name="asked">When the reading was asked for: the database has read its clock later.</param>
    Task KeepAsync(OwnWallet.Shown shown, long asked)
    {
        var life = shown.RightFor - _time.GetElapsedTime(asked) - OnItsWay ?? Life;
        return _redis.KeepVersionAsync(WalletCopy.Key(shown.Wallet), shown.Version, shown.Json, life < Life ? life : Life);
    }

    /// <summary>Costs the ledger's writer no round trip.</summary>
    void Committed(Book book)
    {
        if (!_redis.IsConnected)
            return;
        foreach (var account in book.Accounts.Values)
            if (account.Kind == AccountKind.Wallet && account.HasMoved)
                Add(account.Id);
    }

    void Add(Guid wallet)
    {
        if (_moved.Count < MaxMoved && _moved.TryAdd(wallet, true))
            _added.Raise();
    }
}
