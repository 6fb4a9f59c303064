using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmGateway.EndToEnd;

/// <summary>What leases have for counters, on a real server.</summary>
public sealed class LateUseBookTests : OnOwnLedger
{
    const string Told = """
        select (body ->> 'data')::jsonb ->> 'used' from outbox_message where body ->> 'type' = 'limit.threshold' order by position
        """;

    static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    readonly Guid _limit = Ids.New(), _lease = Ids.New();

    [Fact]
    public async Task What_a_lease_has_of_a_counter_counts_for_whoever_looks_and_is_posted_with_the_next_claim()
    {
        await ClaimAsync(1, 60);
        await SettleAsync(20);
        Assert.Equal(["0 60 20"], await FiguresAsync());
        Assert.Equal((20L, 40L), await ShownAsync());
        await _ledger.VerifyAsync();
        Assert.True((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);

        await SettleAsync(5);
        Assert.True((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);
        await ClaimAsync(2, 1);

        Assert.Equal(["25 36 0"], await FiguresAsync());
        Assert.Equal((25L, 36L), await ShownAsync());
        await _ledger.VerifyAsync();
        Assert.True((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);
        Assert.Equal(
            [$"{{{_limit}}} {{5}}", $"{{{_limit}}} {{20}}"],
            await _ledger.RowsAsync("select counted::text, counts::text from usage_record order by counts"));
    }

    [Fact]
    public async Task What_a_lease_does_not_hold_is_counted_at_once_with_all_that_comes_with_it()
    {
        await ClaimAsync(1, 60);
        await SettleAsync(20);

        var much = Settlement(50);

        Assert.Equal(
            [new Answer.Done(), new Answer.Done(), new Answer.Done(Repeated: true)],
            await _ledger.SettleAsync(Settlement(3), much, much));

        Assert.Equal(["73 0 0"], await FiguresAsync());
        await SettleAsync(1, beyond: 1);
        Assert.Equal(["74 0 0"], await FiguresAsync());
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task A_threshold_is_told_a_moment_later_and_by_the_next_instance_if_this_one_ends()
    {
        using var late = NewLateUses();
        await ClaimAsync(1, 100);
        await SettleAsync(60);
        Assert.Equal([], await _ledger.RowsAsync(Told));

        await late.PostAsync();

        Assert.Equal(["60"], await _ledger.RowsAsync(Told));
        await SettleAsync(20);
        using var next = NewLateUses();
        await next.StartAsync(Token);
        await Eventually.HoldsAsync(async () => (await FiguresAsync())[0] == "80 20 0", "the look at what was left");
        await next.StopAsync(Token);
        Assert.Equal(["60", "80"], await _ledger.RowsAsync(Told));
        await _ledger.VerifyAsync();
    }

    /// <summary>Accounts are locked before leases by all of them, so none waits for another in a circle.</summary>
    [Fact]
    public async Task Two_ledgers_that_settle_and_extend_one_lease_lose_nothing()
    {
        using var other = _ledger.NewWriter();
        await other.StartAsync(Token);
        await ClaimAsync(1, 10);
        await other.RunAsync(Claim(Ids.New(), 1, 1)); // it knows the counter, too

        await Task.WhenAll(Enumerable.Range(0, 300).Select(i => (i % 2 == 0 ? _ledger.Writer : other).RunAsync((i % 10) switch
        {
            3 => (Command)Claim(Ids.New(), 1, 1),
            6 => new PostUses(_lease, [_limit]),
            _ => Settlement(1),
        })));

        Assert.Equal(["240"], await _ledger.RowsAsync("select posted + unposted_of(id) from account where id = $1", _limit));
        await _ledger.VerifyAsync();
        await other.StopAsync(Token);
    }

    LateUses NewLateUses() => new(_ledger.Database, _ledger.Ready, _ledger.Writer, TimeProvider.System, NullLogger<LateUses>.Instance);

    Task<List<string>> FiguresAsync() =>
        _ledger.RowsAsync("select posted, reserved, unposted_of(id) from account where id = $1", _limit);

    /// <summary>What is used and what is held, as Sessions asks for it.</summary>
    async Task<(long, long)> ShownAsync()
    {
        var counters = await _ledger.GetAsync("/internal/counters", new CountersQuery([_limit]));
        return ((long)counters["counters"]![0]!["used"]!, (long)counters["counters"]![0]!["held"]!);
    }

    async Task ClaimAsync(long fence, long amount) =>
        Assert.IsType<Answer.Granted>(await _ledger.Writer.RunAsync(Claim(_lease, fence, amount)));

    Extend Claim(Guid lease, long fence, long amount) => new(
        new(lease, fence, "proxy", [
            new(_limit, amount, amount, amount, amount)
            {
                Counter = new(AccountKind.Limit, Unit.Tokens, null, 100, Now.AddHours(-1), Now.AddHours(1)),
            }])
        {
            FirstSource = 1, Scope = new(OwnLedger.Organization, OwnLedger.Project, _ledger.Wallet, false),
        },
        Final: true);

    async Task SettleAsync(long tokens, long beyond = 0) =>
        Assert.Equal([new Answer.Done()], await _ledger.SettleAsync(Settlement(tokens, beyond)));

    Settle Settlement(long tokens, long beyond = 0)
    {
        var settle = _ledger.Settlement(DateTimeOffset.UtcNow);
        return settle with
        {
            Settlement = settle.Settlement with { Lease = _lease, Charges = [new(_limit, tokens, beyond), .. settle.Settlement.Charges] },
        };
    }
}
