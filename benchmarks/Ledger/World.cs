using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.Ledgers;

/// <summary>
/// Wallets with money in them and a lease on each, as proxies under load leave them; makes the settlements of finished requests.
/// </summary>
sealed class World
{
    const long Credit = 9_000_000 * Money.NanosPerUsd, Held = 1_000_000 * Money.NanosPerUsd, Cost = 1_234;
    const string RawUsage =
        """{"prompt_tokens":14,"completion_tokens":200,"total_tokens":214,"prompt_tokens_details":{"cached_tokens":0}}""";

    static readonly long[] Meters = new Usage { [Meter.Input] = 14, [Meter.Output] = 200 }.ToArray();

    readonly Guid _organization = Ids.New(), _credential = Ids.New(), _prices = Ids.New();
    readonly (Guid Wallet, Guid Lease, Guid Project)[] _accounts;
    int _next;

    World(int wallets, int projects)
    {
        var ids = Enumerable.Range(0, projects).Select(_ => Ids.New()).ToArray();
        _accounts = [.. Enumerable.Range(0, wallets).Select(i => (Ids.New(), Ids.New(), ids[i % projects]))];
    }

    public static async Task<World> CreateAsync(Writer writer, int wallets, int projects)
    {
        var world = new World(wallets, projects);
        await Task.WhenAll(world._accounts.Select(account => writer.RunAsync(world.Wallet(account.Wallet, account.Project))));
        await Task.WhenAll(world._accounts.Select(account => writer.RunAsync(new Extend(Line(account.Wallet, account.Lease, Held)))));
        return world;
    }

    public Settle Settlement()
    {
        var (wallet, lease, project) = Next();
        var now = DateTimeOffset.UtcNow;
        return new(new(Ids.New(), lease, [new(wallet, Cost)], new(
            _organization, project, wallet, _credential, Family: null, Test: false, "/v1/chat/completions",
            "gpt-4o-mini", "openai", "gpt-4o-mini", _prices, Stream: false, now, DurationMs: 800, FirstByteMs: 300, Status: 200,
            RequestOutcome.Completed, Meters, new(Cost), Estimated: false, Reason: null, RawUsage)));
    }

    /// <summary>A proxy's next slice of some wallet, on a lease of its own.</summary>
    public Extend Extension() => new(Line(Next().Wallet, Ids.New(), Money.NanosPerUsd));

    Open Wallet(Guid id, Guid project) =>
        new(new(id, AccountKind.Wallet, Unit.Usd, _organization, project, Owner: id, Test: false, Credit));

    static LeaseRequest Line(Guid wallet, Guid lease, long amount) => new(lease, 1, "bench", [new(wallet, 1, 1, amount, amount)]);

    (Guid Wallet, Guid Lease, Guid Project) Next() => _accounts[(uint)Interlocked.Increment(ref _next) % _accounts.Length];
}
