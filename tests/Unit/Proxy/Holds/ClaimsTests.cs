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
        told = told with { Claim = told.Claim! with { Sources = [new(AccountKind.Wallet, Unit.Usd, null, Wallet, null, null)] } };
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
        var (ends, later) = (Midnight.AddHours(1), Midnight.AddDays(60));
        foreach (var end in (DateTimeOffset[])[ends, later])
            foreach (var at in (DateTimeOffset[])[Midnight.AddYears(-50), Midnight, end, end.AddHours(23)])
            {
                Assert.True(Claims.TryGet(Of(Terms.CapOf(family, 50, end)), Offer("m"), at, out var claim));
                var line = Assert.Single(claim!.Lines);
                Assert.Equal((AccountKind.Cap, Unit.UsdLimit, "session"), (line.Kind, line.Unit, line.Level));
                Assert.Equal((Counters.Cap(family), 50), (line.Register, line.Counter!.Ceiling));
                Assert.True(line.Counter.To < end.AddDays(2)); // then nobody can ask it, and it is deleted one day
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
        var quota = new PaySource(AccountKind.Quota, Unit.Tokens, null, null, [term], null) { Plan = new("Starter", Midnight) };
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
        var quota = new PaySource(AccountKind.Quota, Unit.Tokens, null, null, [limit with { Register = Ids.New() }], null);
        var wallet = new PaySource(AccountKind.Wallet, Unit.Usd, null, Wallet, null, new(PerToken * 1_000_000_000));
        var credential = Of(null) with
        {
            Registers = [new(Ids.New(), AccountKind.SessionCap, Unit.UsdLimit)],
            Claim = new([Limit(Unit.UsdLimit, null, limit), Terms.CapOf(Ids.New(), 50, null)], [quota, wallet]),
        };
        Assert.True(Claims.TryGet(credential, Offer("m"), Midnight, out var claim));
        Assert.True(UpperBound.TryOf(UpperBoundTests.RandomPrices(new(1), 0), Input, 1, false, out var bound));

        var (_, full) = Admission.Demand(claim!, bound, Output);
        Assert.Equal([All(116), All(116), All(116), 116, All(116)], full);
        Assert.Equal(10, Admission.AffordableOutput(claim!, [All(110), All(116), All(116), 116, All(116)], bound, Output));

        var used = new long[full.Length];
        Admission.Used(claim!, [All(116), All(116), All(116), 50, All(66)], cost: 7, tokens: 116, answered: true, used);
        Assert.Equal([All(66), All(66), All(66), 50, All(66)], used);

        static long All(long tokens) => tokens * PerToken;
    }

    [Fact]
    public void Call_credits_of_the_providers_type_pay_behind_the_quota_and_before_the_wallet()
    {
        var credential = WithSources(Quota, CreditsOf("premium"), CreditsOf("standard"), Money);
        Assert.Equal([AccountKind.Quota, AccountKind.Credits, AccountKind.Wallet], KindsFor("standard"));
        Assert.Equal([AccountKind.Quota, AccountKind.Wallet], KindsFor(null));
        Assert.Equal([AccountKind.Quota, AccountKind.Wallet], KindsFor("other"));
        foreach (var type in (string[])["standard", "premium", "standard"])
        {
            var line = LinesFor(credential, type)[1];
            Assert.Equal(
                (CallCredits.BalanceOf(Customer, type), CallCredits.Denomination(Project, type), type),
                (line.Register, line.Denomination!.Value, line.QueryType!));
        }

        IEnumerable<AccountKind> KindsFor(string? type) => LinesFor(credential, type).Select(line => line.Kind);
    }

    [Fact]
    public void A_customer_with_credits_alone_has_none_of_a_type_that_it_never_had()
    {
        var line = Assert.Single(LinesFor(WithSources(CreditsOf("premium")), "standard"));
        Assert.Equal((CallCredits.BalanceOf(Customer, "standard"), "standard"), (line.Register, line.QueryType));
        Assert.Empty(LinesFor(WithSources(CreditsOf("premium")), null));
    }

    /// <summary>What has no price would else be free for it, and go past its limits of money.</summary>
    [Fact]
    public void Whom_nothing_pays_for_has_no_credit_for_what_costs_one_and_has_no_price()
    {
        var raw = Offer("*") with { QueryType = "standard", PaidBy = Payers.Credits };
        var dollars = Limit(Unit.UsdLimit, null, Term.Always(Ids.New(), 100));
        foreach (var credential in (Credential[])[Of(null), Of(dollars), Of(null) with { Claim = new([], []) }])
            foreach (var (route, credits) in ((Route, int)[])
            [
                (raw, 1), (raw with { PaidBy = Payers.Credits | Payers.Quota }, 1), (raw with { PaidBy = Payers.All }, 0),
                (raw with { PaidBy = Payers.Credits | Payers.Wallet }, 0), (raw with { QueryType = null }, 0),
                (raw with { QueryType = CallCredits.Free }, 0),
            ])
            {
                Assert.True(Claims.TryGet(credential, route, Midnight, out var claim));
                Assert.Equal(credits, claim?.Lines.Count(line => line.Kind == AccountKind.Credits) ?? 0);
            }
        // Nobody calls a route that is for everybody, and nobody pays.
        Assert.True(Claims.TryGet(Of(null) with { Customer = null }, raw, Midnight, out var nobodys));
        Assert.Null(nobodys);
    }

    [Fact]
    public void Raw_calls_are_named_by_their_provider_alone() =>
        Assert.Equal(["p/*"], Claims.NamesOf(Offer(ProviderRoutes.AnyCall)));

    [Fact]
    public void Whom_only_call_credits_pay_for_has_nothing_that_pays_a_provider_without_a_type()
    {
        Assert.True(IsPaidByNothing(null, CreditsOf("standard"), CreditsOf("premium")));
        Assert.False(IsPaidByNothing("premium", CreditsOf("standard"))); // it has none of these, and is told so
        Assert.False(IsPaidByNothing("free", CreditsOf("standard")));
        Assert.False(IsPaidByNothing(null, CreditsOf("standard"), Money));
        Assert.False(IsPaidByNothing(null, Quota, CreditsOf("standard")));
        Assert.False(IsPaidByNothing(null));
        Assert.False(Claims.IsPaidByNothing(Of(null), Offer("m")));

        static bool IsPaidByNothing(string? type, params PaySource[] sources) =>
            Claims.IsPaidByNothing(WithSources(sources), Offer("m") with { QueryType = type });
    }

    [Fact]
    public void A_batch_is_paid_by_the_wallet_behind_call_credits()
    {
        Assert.Equal([AccountKind.Wallet], KindsOf(CreditsOf("standard"), Money));
        Assert.Equal([AccountKind.Quota, AccountKind.Wallet], KindsOf(Quota, CreditsOf("standard"), Money));
        Assert.Equal([AccountKind.Credits], KindsOf(CreditsOf("standard")));

        static IEnumerable<AccountKind> KindsOf(params PaySource[] sources)
        {
            var route = Offer("m") with { QueryType = "standard" };
            Assert.True(Claims.TryGet(WithSources(sources), route, Midnight, out var claim, isBatch: true));
            return claim!.Lines.Select(line => line.Kind);
        }
    }

    [Fact]
    public void Of_what_is_free_nothing_is_paid_and_only_what_costs_nothing_is_limited()
    {
        var tokens = Limit(Unit.Tokens, null, Term.Always(Ids.New(), 100));
        var dollars = Limit(Unit.UsdLimit, null, Term.Always(Ids.New(), 100));
        var credential = WithSources() with { Claim = new([tokens, dollars], [Quota, CreditsOf("standard"), Money]) };
        Assert.Equal([Unit.Tokens], LinesFor(credential, "free").Select(line => line.Unit));
        Assert.Equal(5, LinesFor(credential, "standard").Count);

        var plain = Of(null) with { Registers = [new(Wallet, AccountKind.Wallet, Unit.Usd)] };
        Assert.False(Assert.Single(LinesFor(plain, null)).AsksNothing);
        Assert.True(Assert.Single(LinesFor(plain, "free")).AsksNothing);
        Assert.False(Assert.Single(LinesFor(plain, null)).AsksNothing);
    }

    /// <summary>So that the ledger refuses the call when the wallet is frozen, whoever pays for it.</summary>
    [Fact]
    public void A_wallet_that_does_not_pay_is_asked_whether_it_is_frozen_and_for_nothing()
    {
        var tokens = Limit(Unit.Tokens, null, Term.Always(Ids.New(), 100));
        var customer = WithSources() with { Registers = [new(Wallet, AccountKind.Wallet, Unit.Usd)] };
        foreach (var (credential, type, firstSource) in ((Credential, string?, int)[])
        [
            (customer with { Claim = null }, "free", 1),
            (customer with { Claim = new([tokens], [Quota, Money]) }, "free", 2),
            (customer with { Claim = new([tokens], [Quota]) }, null, 2),
        ])
        {
            Assert.True(Claims.TryGet(credential, Offer("m") with { QueryType = type }, Midnight, out var claim));
            var asked = claim!.Lines[firstSource - 1];
            Assert.Equal((firstSource, Wallet, true), (claim.FirstSource, asked.Register, asked.AsksNothing));
            Assert.True(UpperBound.TryOf(UpperBoundTests.RandomPrices(new(1), 0), 10, 1, false, out var bound));
            var (minimum, full) = Admission.Demand(claim, bound, 16);
            Assert.Equal((0, 0), (minimum[firstSource - 1], full[firstSource - 1]));
            Assert.Equal(16, Admission.AffordableOutput(claim, full, bound, 16));
            var used = new long[full.Length];
            Admission.Used(claim, full, cost: 60, tokens: 26, answered: true, used);
            Assert.Equal(0, used[firstSource - 1]);
        }
        Assert.True(Claims.TryGet(customer with { Claim = new([], [Quota, Money]) }, Offer("m"), Midnight, out var paid));
        Assert.DoesNotContain(paid!.Lines, line => line.AsksNothing);
    }

    /// <summary>Whatever else a customer has, and whether its plan has ended.</summary>
    [Fact]
    public void A_call_that_only_some_sources_may_pay_asks_those_alone()
    {
        var raw = Offer("m") with { QueryType = "standard", PaidBy = Payers.Credits };
        Assert.Equal([AccountKind.Credits], KindsOf(WithSources(Quota, CreditsOf("standard"), Money), raw));
        Assert.Equal([AccountKind.Credits], KindsOf(WithSources(Money), raw)); // it has none, and is refused
        Assert.Equal([AccountKind.Credits], KindsOf(Of(null) with { Registers = [new(Wallet, AccountKind.Wallet, Unit.Usd)] }, raw));
        Assert.Equal([AccountKind.Quota], KindsOf(WithSources(Quota, Money), raw with { QueryType = null, PaidBy = Payers.Quota }));
        Assert.Empty(KindsOf(WithSources(Quota, Money), raw with { QueryType = null, PaidBy = Payers.Nothing }));
        // The next call of a model asks what it asked before.
        var both = WithSources(Quota, CreditsOf("standard"), Money);
        Assert.Equal([AccountKind.Credits], KindsOf(both, raw));
        Assert.Equal([AccountKind.Quota, AccountKind.Wallet], KindsOf(both, Offer("m")));

        var ended = WithSources(Quota with { Terms = [new(Ids.New(), Midnight.AddDays(-30), Midnight, 100)] }, CreditsOf("standard"));
        Assert.False(Claims.TryGet(ended, raw, Midnight, out _));

        static IEnumerable<AccountKind> KindsOf(Credential credential, Route route)
        {
            Assert.True(Claims.TryGet(credential, route, Midnight, out var claim));
            return claim?.Lines.Skip(claim.FirstSource).Select(line => line.Kind) ?? [];
        }
    }

    static readonly Guid Customer = Ids.New(), Project = Ids.New();

    static PaySource Quota => new(
        AccountKind.Quota, Unit.Tokens, null, null, [Term.Always(Ids.New(), 100)], Overage: null);

    static PaySource Money => new(AccountKind.Wallet, Unit.Usd, null, Wallet, null, Overage: null);

    static PaySource CreditsOf(string type) => PaySource.OfCredits(Project, Customer, type);

    static Credential WithSources(params PaySource[] sources) => Of(null) with
    {
        Customer = Customer, Project = Project, Claim = new([], sources),
    };

    static IReadOnlyList<ClaimLine> LinesFor(Credential credential, string? type)
    {
        Assert.True(Claims.TryGet(credential, Offer("m") with { QueryType = type }, Midnight, out var claim));
        return claim?.Lines ?? [];
    }

    static LimitLine Limit(Unit unit, Selector? only, params Term[] terms) => new(Ids.New(), LimitLine.Customer, unit, null, only, terms);

    static Credential Of(LimitLine? limit) => new(
        Key, CredentialKind.CustomerKey, false, CredentialStatus.Active, Ids.New(), Ids.New(), Ids.New(), null, null, null, null, [], null)
    {
        Claim = limit is null ? null : new([limit], []),
    };

    static Route Offer(string model) => new(new(model, "chat", "p", model, 0, 0, null, new()), null!);
}
