using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Sessions;
using LlmGateway.UnitTests.Wallet;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>A cycle's end through all services that know of it: what is shown, what is told, and when the ledger gives again.</summary>
public sealed class CycleEdgeTests
{
    const int Amount = 3;

    static readonly Guid Customer = Ids.New(), Organization = Ids.New(), Project = Ids.New();

    readonly MemoryStore _store = new();

    public static TheoryData<string, string> Cycles()
    {
        var all = new TheoryData<string, string>();
        foreach (var zone in (string[])["UTC", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Chatham", "Pacific/Honolulu"])
            foreach (var cycle in (string[])["hour", "day", "week", "month", "quarter", "year", "days:10"])
                all.Add(zone, cycle);
        return all;
    }

    [Theory, MemberData(nameof(Cycles))]
    public void A_second_before_the_reset_that_is_shown_a_used_up_limit_refuses_and_a_second_after_it_every_proxy_is_given(
        string zone, string cycle)
    {
        var (limit, now) = (LimitOf(zone, cycle, Amount), Utc("2026-11-27T12:34:56Z"));
        MustTurnAt(LimitView.Of(limit, new Dictionary<Guid, CounterState>(), now).Resets, now, at => ClaimAt(limit, at));
    }

    /// <summary>Its months begin when the plan has begun, in whatever zone that was.</summary>
    [Theory]
    [InlineData("2026-10-31T12:00:00Z")]
    [InlineData("2026-10-31T23:30:00+09:00")] // Tokyo
    [InlineData("2026-10-31T00:00:00+05:30")] // Kolkata
    [InlineData("2026-10-31T00:15:00+13:45")] // Chatham
    [InlineData("2026-10-30T23:59:59-10:00")] // Honolulu
    public void A_second_before_its_reset_a_used_up_quota_refuses_and_a_second_after_it_every_proxy_is_given(string began)
    {
        var now = Utc("2026-11-27T12:34:56Z");
        var had = new CustomerPlan
        {
            CustomerId = Customer, Id = Ids.New(), ProjectId = Project, PlanId = "starter", StartsAt = Utc(began), EndsAt = null,
        };
        var plan = new Plan
        {
            ProjectId = Project, Id = "starter", Name = "Starter", PriceNanos = 0, Tokens = Amount, TrialDays = 0, LastTermFull = false,
        };
        var resets = Terms.QuotaOf(had, plan, now).Single(term => term.From <= now && now < term.To).To;

        Assert.Equal(Utc(began).ToUniversalTime().AddMonths(1), resets);
        MustTurnAt(resets, now, at => ClaimAt(
            new ClaimRule([], [new(AccountKind.Quota, Unit.Tokens, null, null, Terms.QuotaOf(had, plan, at), null)]), at));
    }

    void MustTurnAt(DateTimeOffset resets, DateTimeOffset now, Func<DateTimeOffset, Claim> claimAt)
    {
        UseUp(claimAt(now), now);

        foreach (var proxy in (string[])["one", "two"])
        {
            var claim = claimAt(resets.AddSeconds(-1));
            var refused = Assert.IsType<Answer.Refused>(Extend(claim, proxy, resets.AddSeconds(-1)));
            var problem = Admission.ProblemOf(
                new(refused.Register, refused.Reason, refused.Available) { Held = refused.Held }, claim, [1], resets.AddSeconds(-1));
            Assert.Equal((429, "limit_reached", 1, resets), (
                problem.Status, problem.Code, problem.RetryAfterSeconds, problem.Limit!.Resets!.Value));
        }
        foreach (var proxy in (string[])["one", "two"])
            Assert.IsType<Answer.Granted>(Extend(claimAt(resets.AddSeconds(1)), proxy, resets.AddSeconds(1)));
    }

    /// <summary>When the raise ends the limit is lower, and what was used stays used.</summary>
    [Fact]
    public void While_a_limit_is_raised_the_reset_is_its_cycles_end_for_who_is_refused_and_for_its_counter()
    {
        var (limit, now) = (LimitOf("UTC", "year", amount: 1), Utc("2026-01-05T12:00:00Z"));
        limit.Raises.Add(new()
        {
            Id = Ids.New(), CustomerId = Customer, LimitId = limit.Id, Amount = Amount,
            StartsAt = now.AddDays(-1), EndsAt = now.AddDays(26),
        });
        UseUp(ClaimAt(limit, now), now);

        var claim = ClaimAt(limit, now);
        var refused = Assert.IsType<Answer.Refused>(Extend(claim, "one", now));
        var problem = Admission.ProblemOf(new(refused.Register, refused.Reason, refused.Available), claim, [1], now);

        var end = Utc("2027-01-01T00:00:00Z");
        Assert.Equal(((int)(end - now).TotalSeconds, end), (problem.RetryAfterSeconds!.Value, problem.Limit!.Resets!.Value));
        Assert.Contains("left until 2027-01-01T00:00:00Z", problem.Message);
        Assert.Equal(end, _store.Accounts[claim.Lines[0].Register].EndsAt);
    }

    void UseUp(Claim claim, DateTimeOffset now)
    {
        // The first claim opens the counter.
        var lease = Ids.New();
        Extend(claim, "one", now, lease);
        Run(new GiveBack(new(lease, 1, [new(claim.Lines[0].Register, 1)])), now);
        for (var i = 0; i < Amount; i++)
            Run(new Settle(new(Ids.New(), null, [new(claim.Lines[0].Register, 1)], UsageRecords.Of(1, Organization, Project, now))), now);
    }

    /// <summary>As a proxy has it whose copy of the credential is fresh.</summary>
    static Claim ClaimAt(CustomerLimit limit, DateTimeOffset at) => ClaimAt(new ClaimRule([Terms.LineOf(limit, at)], []), at);

    static Claim ClaimAt(ClaimRule rule, DateTimeOffset at)
    {
        var credential = new Credential(
            Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Organization, Project, Customer, null, null, null, null,
            [], null)
        {
            Claim = rule,
        };
        Assert.True(Claims.TryGet(credential, new(new("m", "chat", "p", "m", 0, 0, null, new()), null!), at, out var claim));
        return claim!;
    }

    Answer Extend(Claim claim, string proxy, DateTimeOffset now, Guid? lease = null) => Run(
        new Extend(
            new(lease ?? Ids.New(), 1, proxy, [new(claim.Lines[0].Register, 1, 1, 1, 1) { Counter = claim.Lines[0].Counter }])
            {
                FirstSource = claim.FirstSource, Scope = claim.Scope,
            },
            Final: true),
        now);

    static CustomerLimit LimitOf(string zone, string cycle, long amount) => new()
    {
        CustomerId = Customer, Id = "l", Position = 0, Unit = "requests", Amount = amount, Cycle = cycle, TimeZone = zone,
    };

    static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    Answer Run(Command command, DateTimeOffset now) => _store.Apply(command, now);
}
