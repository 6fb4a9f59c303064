using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using LlmGateway.UnitTests.Wallet;
using LlmGateway.Wallet;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What a request is told that is refused while others run, with the real ledger core.</summary>
public sealed class SliceRefusalTests
{
    const long Balance = 20_000_000, Least = 444_000;

    static readonly Guid Organization = Ids.New(), Project = Ids.New();
    static readonly CounterScope Scope = new(Organization, Project, Organization, false);

    readonly FakeTimeProvider _time = new();
    readonly DirectLedger _ledger;
    readonly ClaimLine _wallet = new(Ids.New(), AccountKind.Wallet, Unit.Usd);
    readonly ClaimLine _cap = new(Ids.New(), AccountKind.SessionCap, Unit.UsdLimit);
    readonly ClaimLine _tokens, _quota;

    public SliceRefusalTests()
    {
        _ledger = new(_time);
        (_tokens, _quota) = (Counter(AccountKind.Limit, 1_000), Counter(AccountKind.Quota, 1_000));
        Open(_wallet, Balance);
        Open(_cap, Balance / 2);
    }

    [Fact]
    public async Task A_request_that_lacks_only_what_others_hold_may_come_again_and_its_numbers_add_up()
    {
        var slice = NewSlice([_wallet], 0);
        var running = await HoldAsync(slice, [Least], [Balance]);

        var problem = await RefusedAsync(slice, [Least]);

        Assert.Equal((429, "balance_held", 1), (problem.Status, problem.Code, problem.RetryAfterSeconds));
        Assert.Equal(new("wallet", "usd", "0.02", "0.02", "0.000444", null), problem.Limit);
        Assert.Contains("may cost 0.000444 USD and the wallet has 0 USD available, while requests that run hold 0.02 USD", problem.Message);

        running.Settle([100_000]);
        await HoldAsync(slice, [Least], [Balance]);
    }

    [Fact]
    public async Task What_another_proxy_holds_counts_too()
    {
        await HoldAsync(NewSlice([_wallet], 0), [Least], [Balance - 100]);

        var problem = await RefusedAsync(NewSlice([_wallet], 0), [Least]);

        Assert.Equal((429, "balance_held"), (problem.Status, problem.Code));
        Assert.Equal(new("wallet", "usd", "0.0199999", "0.02", "0.0004439", null), problem.Limit);
    }

    /// <summary>What an ended request has used comes never back, although the ledger has not booked it yet.</summary>
    [Fact]
    public async Task A_wallet_that_is_used_up_is_402_also_before_its_last_charge_is_booked()
    {
        var slice = NewSlice([_wallet], 0);
        (await HoldAsync(slice, [Least], [Balance])).Settle([Balance - 100]);

        var problem = await RefusedAsync(slice, [Least]);

        Assert.Equal((402, "wallet_exhausted", null), (problem.Status, problem.Code, problem.RetryAfterSeconds));
        Assert.Equal(new("wallet", "usd", "0", "0.0000001", "0.0004439", null), problem.Limit);
    }

    /// <summary>Its answer counts as held what has become idle meanwhile.</summary>
    [Fact]
    public async Task What_becomes_idle_while_the_ledger_decides_serves_who_waits()
    {
        var slice = NewSlice([_wallet], 0);
        var running = await HoldAsync(slice, [Least], [Balance]);
        _ledger.Decided = () => running.Settle([100_000]);

        var hold = await HoldAsync(slice, [Least], [Balance]);

        Assert.Equal([Balance - 100_000], hold.Amounts);
    }

    [Fact]
    public async Task A_sessions_cap_is_402_only_when_it_is_used_up()
    {
        var slice = NewSlice([_cap, _wallet], 1);
        var running = await HoldAsync(slice, [Least, Least], [Balance / 2, Balance / 2]);

        var problem = await RefusedAsync(slice, [Least, Least]);
        Assert.Equal((429, "balance_held"), (problem.Status, problem.Code));
        Assert.Equal(new("session", "usd", null, null, "0.000444", null), problem.Limit);

        running.Settle([Balance / 2, Balance / 2]);
        problem = await RefusedAsync(slice, [Least, Least]);
        Assert.Equal((402, "session_cap"), (problem.Status, problem.Code));
        Assert.Equal(new("session", "usd", null, null, "0.000444", null), problem.Limit);
    }

    [Fact]
    public async Task A_limit_that_is_only_held_may_be_asked_again_at_once_and_one_that_is_used_up_when_its_cycle_ends()
    {
        var slice = NewSlice([_tokens], 1);
        var running = await HoldAsync(slice, [100], [1_000]);
        Assert.Equal(("limit_reached", 1), await Told());

        running.Settle([1_000]);
        Assert.Equal(("limit_reached", 3_600), await Told());

        async Task<(string, int?)> Told() => await RefusedAsync(slice, [100]) is var told ? (told.Code, told.RetryAfterSeconds) : default;
    }

    [Fact]
    public async Task A_quota_that_is_held_whole_before_an_empty_wallet_may_be_asked_again()
    {
        _ledger.Apply(new Post(
            Ids.New(), PostType.Debit, new(_wallet.Register, Unit.Usd, Organization, Project, Organization, false), [Balance]));
        await HoldAsync(NewSlice([_quota, _wallet], 0), [100, Least], [1_000, 10 * Least]);

        var problem = await RefusedAsync(NewSlice([_quota, _wallet], 0), [100, Least]);

        Assert.Equal((429, "balance_held"), (problem.Status, problem.Code));
    }

    [Fact]
    public async Task A_request_whose_bound_is_beyond_all_money_is_refused_and_the_next_one_is_answered()
    {
        var slice = NewSlice([_wallet], 0);

        Assert.Equal("wallet_exhausted", (await RefusedAsync(slice, [long.MaxValue])).Code);
        await HoldAsync(slice, [Least], [Least]);
    }

    static async Task<Hold> HoldAsync(Slice slice, long[] minimum, long[] full)
    {
        Assert.True(slice.TryReserve(minimum, full, TestContext.Current.CancellationToken, out var answer));
        return (await answer).Hold ?? throw new InvalidOperationException("refused");
    }

    async Task<Problem> RefusedAsync(Slice slice, long[] minimum)
    {
        Assert.True(slice.TryReserve(minimum, minimum, TestContext.Current.CancellationToken, out var answer));
        var refusal = (await answer).Refusal ?? throw new InvalidOperationException("admitted");
        return Admission.ProblemOf(refusal, slice.Claim, minimum, _time.GetUtcNow());
    }

    Slice NewSlice(ClaimLine[] lines, int firstSource) =>
        new(new(lines, firstSource, Scope), "proxy", _ledger, new(), _time);

    void Open(ClaimLine line, long amount) =>
        _ledger.Apply(new Open(new(line.Register, line.Kind, line.Unit, Organization, Project, Organization, false, amount)));

    ClaimLine Counter(AccountKind kind, long ceiling) => new(Ids.New(), kind, Unit.Tokens)
    {
        Counter = new(kind, Unit.Tokens, null, ceiling, _time.GetUtcNow().AddHours(-1), _time.GetUtcNow().AddHours(1)),
    };

    /// <summary>The ledger core, which decides at once, as after a recall that found nothing idle.</summary>
    sealed class DirectLedger(TimeProvider time) : ILeaseLedger
    {
        readonly MemoryStore _store = new();

        /// <summary>What happens between its next decision and the answer.</summary>
        public Action? Decided { get; set; }

        public Task<LeaseAnswer> ExtendAsync(LeaseRequest request)
        {
            var answer = Leases.AnswerOf(Apply(new Extend(request, Final: true)));
            var then = Decided;
            Decided = null;
            then?.Invoke();
            return Task.FromResult(answer);
        }

        public Task ReturnAsync(LeaseReturn give) => Task.FromResult(Apply(new GiveBack(give)));

        public Answer Apply(Command command) => _store.Apply(command, time.GetUtcNow());
    }
}
