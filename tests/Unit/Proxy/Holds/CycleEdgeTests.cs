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
        var limit = new CustomerLimit
        {
            CustomerId = Customer, Id = "l", Position = 0, Unit = "requests", Amount = Amount, Cycle = cycle, TimeZone = zone,
        };
        var now = DateTimeOffset.Parse("2026-11-27T12:34:56Z", CultureInfo.InvariantCulture);
        var resets = LimitView.Of(limit, new Dictionary<Guid, CounterState>(), now).Resets;
        UseUp(ClaimAt(limit, now), now);

        foreach (var proxy in (string[])["one", "two"])
        {
            var claim = ClaimAt(limit, resets.AddSeconds(-1));
            var refused = Assert.IsType<Answer.Refused>(Extend(claim, proxy, resets.AddSeconds(-1)));
            var problem = Admission.ProblemOf(
                new(refused.Register, refused.Reason, refused.Available) { Held = refused.Held }, claim, [1], resets.AddSeconds(-1));
            Assert.Equal((429, "limit_reached", 1, resets), (
                problem.Status, problem.Code, problem.RetryAfterSeconds, problem.Limit!.Resets!.Value));
        }
        foreach (var proxy in (string[])["one", "two"])
            Assert.IsType<Answer.Granted>(Extend(ClaimAt(limit, resets.AddSeconds(1)), proxy, resets.AddSeconds(1)));
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
    static Claim ClaimAt(CustomerLimit limit, DateTimeOffset at)
    {
        var credential = new Credential(
            Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Organization, Project, Customer, null, null, null, null,
            [], null)
        {
            Claim = new([Terms.LineOf(limit, at)], []),
        };
        Assert.True(Claims.TryGet(credential, new(new("m", "chat", "p", "m", 0, 0, null, new()), null!), at, out var claim));
        return claim!;
    }

    Answer Extend(Claim claim, string proxy, DateTimeOffset now, Guid? lease = null) => Run(
        new Extend(
            new(lease ?? Ids.New(), 1, proxy, [new(claim.Lines[0].Register, 1, 1, 1, 1) { Counter = claim.Lines[0].Counter }])
            {
                FirstSource = 1, Scope = claim.Scope,
            },
            Final: true),
        now);

    Answer Run(Command command, DateTimeOffset now) => _store.Apply(command, now);
}
