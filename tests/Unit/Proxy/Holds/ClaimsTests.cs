using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What a credential's rule asks of the ledger for a model, at a time.</summary>
public sealed class ClaimsTests
{
    static readonly DateTimeOffset Midnight = new(2026, 12, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly Guid Wallet = Ids.New(), Key = Ids.New();

    [Fact]
    public void A_caller_whom_nothing_limits_and_nothing_pays_for_claims_nothing()
    {
        Assert.True(Claims.TryGet(Of(null), Offer("m"), Midnight, out var claim));
        Assert.Null(claim);
    }

    [Fact]
    public void A_wallet_alone_is_one_source_and_the_same_claim_for_every_request()
    {
        var credential = Of(null) with { Registers = [new(Wallet, AccountKind.Wallet, Unit.Usd)] };
        Assert.True(Claims.TryGet(credential, Offer("m"), Midnight, out var claim));
        Assert.True(Claims.TryGet(credential, Offer("n"), Midnight.AddDays(400), out var again));
        Assert.Same(claim, again);
        Assert.Equal((1, 0), (claim!.Lines.Count, claim.FirstSource));
    }

    [Fact]
    public void A_turn_of_the_cycle_is_another_counter_from_that_instant_on()
    {
        var (november, december) = (Ids.New(), Ids.New());
        var credential = Of(Limit(Unit.Tokens, null,
            new(november, Midnight.AddDays(-30), Midnight, 100), new(december, Midnight, Midnight.AddDays(31), 100)));
        Assert.Equal(november, RegisterAt(Midnight.AddTicks(-1)));
        Assert.Equal(december, RegisterAt(Midnight));
        Assert.Equal(november, RegisterAt(Midnight.AddTicks(-1)));

        Guid RegisterAt(DateTimeOffset now)
        {
            Assert.True(Claims.TryGet(credential, Offer("m"), now, out var claim));
            return claim!.Lines[0].Register;
        }
    }

    [Fact]
    public void A_copy_without_a_term_for_now_must_be_read_again() => Assert.False(Claims.TryGet(
        Of(Limit(Unit.Tokens, null, new Term(Ids.New(), Midnight.AddDays(-30), Midnight, 100))), Offer("m"), Midnight, out _));

    [Fact]
    public void A_limit_counts_the_models_that_it_names_also_when_they_take_over()
    {
        var credential = Of(Limit(Unit.Tokens, new(["p/n"], null), new Term(Ids.New(), Midnight.AddDays(-1), Midnight.AddDays(1), 100)));
        Assert.Single(LinesFor(Offer("n")));
        Assert.Empty(LinesFor(Offer("m")));
        Assert.Single(LinesFor(Offer("m") with { Next = Offer("n") }));

        IEnumerable<ClaimLine> LinesFor(Route route)
        {
            Assert.True(Claims.TryGet(credential, route, Midnight, out var claim));
            return claim?.Lines ?? [];
        }
    }

    /// <summary>Whether a caller is limited or not. A mark that changes is another claim, so that the ledger hears of it.</summary>
    [Fact]
    public void What_owners_are_told_of_comes_with_each_claim()
    {
        var limited = Of(Limit(Unit.Tokens, null, Term.Always(Ids.New(), 100)) with { Name = "monthly" });
        var told = limited with { LowMark = new(7), Thresholds = [10, 90] };
        told = told with { Claim = told.Claim! with { Sources = [new(AccountKind.Wallet, Unit.Usd, null, Wallet, null, null, false)] } };
        Assert.True(Claims.TryGet(told, Offer("m"), Midnight, out var claim));
        Assert.Equal(("monthly", 7), (claim!.Lines[0].Counter!.Name, claim.Lines[1].LowMark));
        Assert.Equal([10, 90], claim.Lines[0].Counter!.Thresholds!);

        var plain = Of(null) with { Registers = [new(Wallet, AccountKind.Wallet, Unit.Usd)], LowMark = new(7) };
        Assert.True(Claims.TryGet(plain, Offer("m"), Midnight, out var before));
        Assert.True(Claims.TryGet(plain with { LowMark = new(8) }, Offer("m"), Midnight, out var after));
        Assert.Equal(7, before!.Lines[0].LowMark);
        Assert.NotEqual(before, after);
    }

    [Fact]
    public void A_cap_is_one_counter_of_the_session_at_every_time()
    {
        var family = Ids.New();
        var (first, refreshed) = (Of(Terms.CapOf(family, 50)), Of(Terms.CapOf(family, 50)));
        foreach (var credential in (Credential[])[first, refreshed])
            foreach (var years in (int[])[-50, 0, 500])
            {
                Assert.True(Claims.TryGet(credential, Offer("m"), Midnight.AddYears(years), out var claim));
                var line = Assert.Single(claim!.Lines);
                Assert.Equal((AccountKind.Cap, Unit.UsdLimit, "session"), (line.Kind, line.Unit, line.Level));
                Assert.Equal((Counters.Cap(family), 50), (line.Register, line.Counter!.Ceiling));
            }
    }

    /// <summary>
    /// What is equal shares one slice, which asks by the terms of its own claim. With an old end it would be refused at every cycle's edge,
    /// and with an old price it would charge it.
    /// </summary>
    [Fact]
    public void A_claim_with_another_end_or_another_price_is_another_claim()
    {
        Assert.Equal(With(Midnight.AddHours(1), 2_000), With(Midnight.AddHours(1), 2_000));
        Assert.NotEqual(With(Midnight.AddHours(1), 2_000), With(Midnight.AddHours(7), 2_000));
        Assert.NotEqual(With(Midnight.AddHours(1), 2_000), With(Midnight.AddHours(1), 200));

        static Claim With(DateTimeOffset end, long overage) => new(
        [
            new(Key, AccountKind.Quota, Unit.Tokens) { Counter = new(AccountKind.Quota, Unit.Tokens, null, 100, Midnight, end) },
            new(Wallet, AccountKind.Wallet, Unit.Usd) { Overage = new(overage) },
        ], 0, scope: null);
    }

    [Fact]
    public void A_plan_has_ended_from_its_end_on_and_a_copy_without_a_term_is_only_old()
    {
        var term = new Term(Ids.New(), Midnight.AddDays(-30), Midnight, 100);
        var quota = new PaySource(AccountKind.Quota, Unit.Tokens, null, null, [term], null, false) { Plan = new("Starter", Midnight) };
        var credential = Of(null) with { Claim = new([], [quota]) };

        Assert.True(Claims.TryGet(credential, Offer("m"), Midnight.AddTicks(-1), out _));
        Assert.Null(Claims.EndedPlan(credential, Midnight.AddTicks(-1)));
        Assert.False(Claims.TryGet(credential, Offer("m"), Midnight, out _));
        Assert.Equal("Starter", Claims.EndedPlan(credential, Midnight)?.Name);
        Assert.Null(Claims.EndedPlan(
            credential with { Claim = new([], [quota with { Plan = new("Starter", null) }]) }, Midnight));
    }

    /// <summary>A plan may ask far more for a token than its provider does. Limits of money count what is paid.</summary>
    [Fact]
    public void A_limit_of_money_holds_what_the_wallet_may_pay_by_the_plans_price()
    {
        const long PerToken = 2_000_000, Input = 100, Output = 16;
        var limit = new Term(Ids.New(), Midnight.AddDays(-1), Midnight.AddDays(1), long.MaxValue);
        var quota = new PaySource(AccountKind.Quota, Unit.Tokens, null, null, [limit with { Register = Ids.New() }], null, false);
        var wallet = new PaySource(AccountKind.Wallet, Unit.Usd, null, Wallet, null, new(PerToken * 1_000_000_000), false);
        var credential = Of(null) with
        {
            Registers = [new(Ids.New(), AccountKind.SessionCap, Unit.UsdLimit)],
            Claim = new([Limit(Unit.UsdLimit, null, limit), Terms.CapOf(Ids.New(), 50)], [quota, wallet]),
        };
        Assert.True(Claims.TryGet(credential, Offer("m"), Midnight, out var claim));
        Assert.True(UpperBound.TryOf(UpperBoundTests.RandomPrices(new(1), 0), Input, 1, false, out var bound));

        var (_, full) = Admission.Demand(claim!, bound, Output);
        Assert.Equal([All(116), All(116), All(116), 116, All(116)], full);
        Assert.Equal(10, Admission.AffordableOutput(claim!, [All(110), All(116), All(116), 116, All(116)], bound, Output));

        var used = new long[full.Length];
        Admission.Used(claim!, [All(116), All(116), All(116), 50, All(66)], cost: 7, tokens: 116, used);
        Assert.Equal([All(66), All(66), All(66), 50, All(66)], used);

        static long All(long tokens) => tokens * PerToken;
    }

    static LimitLine Limit(Unit unit, Selector? only, params Term[] terms) => new(Ids.New(), LimitLine.Customer, unit, null, only, terms);

    static Credential Of(LimitLine? limit) => new(
        Key, CredentialKind.CustomerKey, false, CredentialStatus.Active, Ids.New(), Ids.New(), Ids.New(), null, null, null, null, [], null)
    {
        Claim = limit is null ? null : new([limit], []),
    };

    static Route Offer(string model) => new(new(model, "chat", "p", model, 0, 0, null, new()), null!);
}
