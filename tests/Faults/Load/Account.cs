using System.Collections.Concurrent;

namespace LlmGateway.Faults;

/// <summary>A customer under load: what its callers know of its calls, held against what the ledger says.</summary>
sealed class Account(User user, string key)
{
    readonly ConcurrentQueue<Fate> _fates = [];
    long _credited;

    public User User => user;

    /// <summary>A credential that does not run out.</summary>
    public string Key => key;

    public IReadOnlyCollection<Fate> Fates => _fates;

    public static async Task<Account> OpenAsync(Backend backend, long nanos)
    {
        var user = await backend.NewUserAsync(credit: null, "\"ttlSeconds\":3600");
        var account = new Account(user, (await backend.NewKeyAsync(user.CustomerId)).Secret);
        await backend.CreditAsync(user.WalletId, Gateway.Usd(nanos));
        account.Credited(nanos);
        return account;
    }

    public void Add(Fate fate) => _fates.Enqueue(fate);

    /// <summary>So much was credited, once, and the ledger has said so.</summary>
    public void Credited(long nanos) => Interlocked.Add(ref _credited, nanos);

    /// <summary>
    /// Waits until everything that this account's callers were given is charged exactly. Then reports other faults: a charge for a refused
    /// call, a charge above the whole cost, a charge without a call, or a balance that does not follow.
    /// </summary>
    public async Task CheckAsync()
    {
        var answered = _fates.Where(fate => fate.Seen == Seen.Completed).ToDictionary(fate => fate.Id!.Value);
        var rows = await Eventually.GetAsync(
            () => Books.UsageAsync(user),
            rows => rows.Count(row => answered.ContainsKey(row.RequestId)) == answered.Count,
            $"a usage record of each of {answered.Count} answers",
            TimeSpan.FromSeconds(60));
        Assert.All(
            rows.Where(row => answered.ContainsKey(row.RequestId)),
            row => Assert.Equal((answered[row.RequestId].Cost, 0), (row.Charged, row.Absorbed)));

        var refused = _fates.Where(fate => fate.Seen == Seen.Refused).Select(fate => fate.Id).ToHashSet();
        Assert.All(rows.Where(row => refused.Contains(row.RequestId)), row => Assert.Equal(0, row.Charged));

        // Rows of calls that broke: a call with a known id has its own row, the other calls share the rows that are left.
        var rest = rows.Where(row => row.Charged > 0 && !answered.ContainsKey(row.RequestId)).ToDictionary(row => row.RequestId);
        var nameless = new List<long>();
        foreach (var broken in _fates.Where(fate => fate.Seen == Seen.Broken))
        {
            if (broken.Id is not { } id)
                nameless.Add(broken.Cost);
            else if (rest.Remove(id, out var row))
                Assert.InRange(row.Charged, 0, broken.Cost);
        }
        // The dearest row is matched with a call that may cost so much, the next row with another, and so on.
        var charges = rest.Values.Select(row => row.Charged).OrderDescending().ToList();
        Assert.InRange(charges.Count, 0, nameless.Count);
        Assert.All(charges.Zip(nameless.OrderDescending()), pair => Assert.InRange(pair.First, 0, pair.Second));

        // Both are read anew: a call that broke may be charged at this very moment.
        await Eventually.HoldsAsync(
            async () =>
                await user.BalanceAsync() is var balance
                    && balance >= 0
                    && balance == _credited - (await Books.UsageAsync(user)).Sum(row => row.Charged),
            "a balance that follows from credits and charges");
    }
}
