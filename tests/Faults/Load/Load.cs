using System.Collections.Concurrent;
using System.Globalization;

namespace LlmGateway.Faults;

/// <summary>
/// Callers on both proxies while things break: streams and whole answers on several wallets, some abandoned; one wallet that can pay for
/// one call at a time; callers who repeat each call under its key; a backend that mints, credits, makes keys and revokes; and a system that
/// is told of it. Everything that they were told is compared with the books.
/// </summary>
sealed class Load
{
    const int Wallets = 4, Callers = 4, MaxTold = 5;
    const long
        Roomy = 100_000_000_000,
        UpperBoundOfNarrow = 100 * Price.Input + 16 * Price.Output,
        NarrowCost = 3 * Price.Input + 16 * Price.Output;

    /// <summary>Words of a stream that is long enough for a checkpoint.</summary>
    const int LongAnswer = 300;

    /// <summary>After every process has come back.</summary>
    static readonly TimeSpan ServesAgainWithin = TimeSpan.FromSeconds(5);

    public static readonly Backend Backend = new("sk_live_faults00000000000000000000000000000000000");

    readonly Account[] _wallets;
    readonly Repeats _repeats;
    readonly Audience _audience;
    readonly ConcurrentQueue<Account> _tight = [];
    readonly Backoffice _backoffice = new();
    readonly ConcurrentQueue<string> _surprises = [];
    Task[] _work = [];
    volatile bool _stopping;

    Load(Account[] wallets, Repeats repeats, Audience audience) => (_wallets, _repeats, _audience) = (wallets, repeats, audience);

    public IEnumerable<Account> Accounts => [.. _wallets, .. _tight, .. _backoffice.Accounts];

    public IEnumerable<Fate> Fates => Accounts.SelectMany(account => account.Fates);

    public static async Task<Load> StartAsync(int seed)
    {
        // First of all, so that it is told everything of the customers that follow.
        var audience = await Audience.OpenAsync();
        var wallets = await Task.WhenAll(Enumerable.Range(0, Wallets).Select(_ => Account.OpenAsync(Backend, Roomy)));
        var load = new Load(wallets, await Repeats.OpenAsync(Backend), audience);
        var random = new Random(seed);
        load._work =
        [
            .. Enumerable.Range(0, Callers).Select(_ => load.RepeatAsync(load.CallAsync, new Random(random.Next()))),
            load.RepeatAsync(load.SpendLastAsync, new Random(random.Next())),
            load.RepeatAsync(load._repeats.CallAsync, new Random(random.Next())),
            load.RepeatAsync(load._repeats.CallAsync, new Random(random.Next())),
            load.RepeatAsync(load._backoffice.WorkAsync, new Random(random.Next())),
            load.RepeatAsync(load._backoffice.WorkAsync, new Random(random.Next())),
            load.RepeatAsync(audience.WorkAsync, new Random(random.Next())),
        ];
        return load;
    }

    /// <summary>Returns when the last call has ended.</summary>
    public Task StopAsync()
    {
        _stopping = true;
        return Task.WhenAll(_work);
    }

    /// <summary>
    /// Compares what callers were told with the books, without the leases that have not ended yet. Call it when everything runs again.
    /// </summary>
    public async Task CheckAsync()
    {
        await Processes.HealthyAsync();
        foreach (var proxy in Stack.Proxies)
            await Eventually.GetAsync(
                () => ProbeAsync(proxy),
                fate => fate.Seen == Seen.Completed,
                $"an answer of {proxy}",
                ServesAgainWithin);
        Assert.True(_surprises.IsEmpty, string.Join("\n", _surprises.Take(MaxTold)));
        await _backoffice.FinishAsync();
        foreach (var account in Accounts)
            await account.CheckAsync();
        await _repeats.CheckAsync();
        await _audience.CheckAsync(Accounts.Select(account => account.User));
        await _audience.DisposeAsync();
        await Books.MustBeRightAsync();
    }

    async Task<Fate> ProbeAsync(Uri proxy)
    {
        var fate = await Fate.OfAsync(_wallets[0].Key, "small", 3, 20, stream: false, null, proxy);
        _wallets[0].Add(fate);
        return fate;
    }

    public override string ToString() => string.Join(", ", Fates.GroupBy(fate => (fate.Seen, fate.Status)).OrderBy(group => group.Key)
        .Select(group => string.Create(CultureInfo.InvariantCulture, $"{group.Count()} {group.Key.Seen} ({group.Key.Status})")));

    /// <summary>
    /// Repeats calls with a short pause between, so that calls that find no service do not take the whole machine.
    /// </summary>
    async Task RepeatAsync(Func<Random, Task> act, Random random)
    {
        while (!_stopping)
        {
            try
            {
                await act(random);
            }
            catch (Exception e)
            {
                _surprises.Enqueue(e.ToString());
            }
            await Task.Delay(random.Next(20, 120));
        }
    }

    async Task CallAsync(Random random)
    {
        var account = _wallets[random.Next(Wallets)];
        var (words, tokens, stream) = (random.Next(1, 9), random.Next(1, 21), random.Next(2) == 0);
        if (stream && random.Next(4) == 0)
        {
            account.Add(Expected(await Fate.OfAsync(account.Key, "small", words, LongAnswer, stream, null, Either(random))));
            return;
        }
        int? leaveAfter = stream && random.Next(5) == 0 ? random.Next(1, tokens + 1) : null;
        var model = stream && random.Next(3) == 0 ? "slow" : "small";
        account.Add(Expected(await Fate.OfAsync(account.Key, model, words, tokens, stream, leaveAfter, Either(random))));
    }

    /// <summary>
    /// Keeps a wallet just above what one call may cost, and calls at one proxy and then the other: what the first still holds idle must be
    /// called back for the second. When the holder has died the rest is stuck until its lease ends; then another wallet is opened.
    /// </summary>
    async Task SpendLastAsync(Random random)
    {
        var account = _tight.LastOrDefault();
        if (account is null || account.Fates.LastOrDefault() is { Seen: not Seen.Completed })
        {
            account = await OpenTightAsync();
            if (account is null)
                return;
            _tight.Enqueue(account);
        }
        for (var i = 0; i < 2; i++)
            account.Add(Expected(await Fate.OfAsync(account.Key, "narrow", 3, 16, stream: false, null, Stack.Proxies[i])));
        // What two calls cost: after this the wallet has again what it had.
        if (account.Fates.TakeLast(2).All(fate => fate.Seen == Seen.Completed))
            await Backoffice.CreditAsync(account, 2 * NarrowCost);
    }

    static async Task<Account?> OpenTightAsync()
    {
        try
        {
            return await Account.OpenAsync(Backend, UpperBoundOfNarrow + NarrowCost);
        }
        catch (Exception e) when (e is HttpRequestException or Xunit.Sdk.XunitException)
        {
            return null; // something that it needs is down
        }
    }

    /// <summary>
    /// While parts are down calls may be refused with 503, and with 402 or 429 when a dead proxy holds the rest; anything else is a bug.
    /// </summary>
    public static Fate Expected(Fate fate) =>
        fate.Status is 0 or 200 or 402 or 429 or 502 or 503 or 504
            ? fate
            : throw new InvalidDataException($"a call was answered with {fate.Status} ({fate.Id:N})");

    static Uri Either(Random random) => Stack.Proxies[random.Next(2)];
}
