using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.Ledgers;

/// <summary>
/// Wallets with money in them and a lease on each, as proxies under load leave them; makes the settlements of finished requests.
/// </summary>
sealed class World
{
    const long
        Credit = 9_000_000 * Money.NanosPerUsd, OfLot = 10_000 * Money.NanosPerUsd, Held = 1_000_000 * Money.NanosPerUsd, Cost = 1_234,
        Due = 434;

    const string RawUsage =
        """{"prompt_tokens":14,"completion_tokens":200,"total_tokens":214,"prompt_tokens_details":{"cached_tokens":0}}""";

    static readonly long[] Meters = new Usage { [Meter.Input] = 14, [Meter.Output] = 200 }.ToArray();

    /// <summary>Of a claim, before the wallet: five limits, and two quotas that pay a part each.</summary>
    static readonly (AccountKind Kind, Unit Unit, long Value)[] Counters =
    [
        (AccountKind.Limit, Unit.Tokens, 214), (AccountKind.Limit, Unit.Tokens, 214), (AccountKind.Limit, Unit.Requests, 1),
        (AccountKind.Limit, Unit.Requests, 1), (AccountKind.Limit, Unit.UsdLimit, Due), (AccountKind.Quota, Unit.Tokens, 70),
        (AccountKind.Quota, Unit.Tokens, 70),
    ];

    readonly Guid _organization = Ids.New(), _credential = Ids.New(), _prices = Ids.New();
    readonly (Guid Wallet, Guid Lease, Guid Project, Charge[] Charges)[] _accounts;

    readonly bool _claims;
    int _next;

    World(int wallets, int projects, bool claims)
    {
        var ids = Enumerable.Range(0, projects).Select(_ => Ids.New()).ToArray();
        _accounts = [.. Enumerable.Range(0, wallets).Select(i => Of(Ids.New(), ids[i % projects]))];
        _claims = claims;

        (Guid, Guid, Guid, Charge[]) Of(Guid wallet, Guid project) =>
            (wallet, Ids.New(), project, claims ? Charges(wallet) : [new(wallet, Cost)]);
    }

    /// <param name="claims">Each request is a claim of five limits and three sources.</param>
    /// <param name="lots">Besides each wallet's own.</param>
    public static async Task<World> CreateAsync(Writer writer, int wallets, int projects, bool claims = false, int lots = 0)
    {
        var world = new World(wallets, projects, claims);
        await Task.WhenAll(world._accounts.Select(account => writer.RunAsync(world.Wallet(account.Wallet, account.Project))));
        for (var years = 1; years <= lots; years++)
            await Task.WhenAll(world._accounts.Select(account => writer.RunAsync(world.Lot(account.Wallet, account.Project, years))));
        await Task.WhenAll(world._accounts.Select(account => writer.RunAsync(new Extend(claims
            ? world.Claim(account.Wallet, account.Lease, account.Project)
            : Line(account.Wallet, account.Lease, Held)))));
        return world;
    }

    public Settle Settlement()
    {
        var (wallet, lease, project, charges) = Next();
        var now = DateTimeOffset.UtcNow;
        return new(new(Ids.New(), lease, charges, new(
            _organization, project, wallet, _credential, Family: null, Test: false, "/v1/chat/completions",
            "gpt-4o-mini", "openai", "gpt-4o-mini", _prices, Stream: false, now, DurationMs: 800, FirstByteMs: 300, Status: 200,
            RequestOutcome.Completed, Meters, new(Cost), Estimated: false, Reason: null, RawUsage))
        {
            Due = _claims ? Due : null,
        });
    }

    /// <summary>A proxy's next slice of some wallet, on a lease of its own.</summary>
    public Extend Extension() => new(Line(Next().Wallet, Ids.New(), Money.NanosPerUsd));

    /// <summary>A promotion that is spent before those that end later.</summary>
    Post Lot(Guid wallet, Guid project, int years) => new(
        Ids.New(), PostType.Promotion, new(wallet, Unit.Usd, _organization, project, wallet, Test: false), [OfLot])
    {
        ExpiresAt = DateTimeOffset.UtcNow.AddYears(years),
    };

    LeaseRequest Claim(Guid wallet, Guid lease, Guid project) => new(lease, 1, "bench",
    [
        .. Counters.Select((counter, i) => new LeaseDemand(Ids.Derive(wallet, $"{i}"), 1, 1, Held, Held)
        {
            Counter = new(counter.Kind, counter.Unit, null, Credit, DateTimeOffset.UnixEpoch, Term.Ever),
        }),
        new(wallet, 1, 1, Held, Held),
    ])
    {
        Scope = new(_organization, project, wallet, Test: false),
    };

    static Charge[] Charges(Guid wallet) =>
        [.. Counters.Select((counter, i) => new Charge(Ids.Derive(wallet, $"{i}"), counter.Value)), new(wallet, Due)];

    Open Wallet(Guid id, Guid project) =>
        new(new(id, AccountKind.Wallet, Unit.Usd, _organization, project, Owner: id, Test: false, Credit));

    static LeaseRequest Line(Guid wallet, Guid lease, long amount) => new(lease, 1, "bench", [new(wallet, 1, 1, amount, amount)]);

    (Guid Wallet, Guid Lease, Guid Project, Charge[] Charges) Next() =>
        _accounts[(uint)Interlocked.Increment(ref _next) % _accounts.Length];
}
