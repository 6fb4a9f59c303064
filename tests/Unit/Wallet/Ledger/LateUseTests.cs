using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Counters that are not read with settlements, because leases have what those use of them.</summary>
public sealed class LateUseTests
{
    const int Steps = 60, Histories = 300;

    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly Guid Organization = Ids.New(), Project = Ids.New(), Limit = Ids.New(), Lease = Ids.New();

    readonly MemoryStore _early = new(), _late = new();
    DateTimeOffset _now = Noon;

    [Fact]
    public void A_lease_has_what_was_used_of_its_hold_and_the_counter_gives_no_more_than_if_it_had_it()
    {
        Apply(Claim(Lease, 1, 60, ceiling: 100));
        Apply(Settlement(Lease, 20));

        Assert.Equal((0L, 60L), Figures(_late, Limit));
        Assert.Equal((20L, 40L), Figures(_early, Limit));
        Assert.Equal((20L, 40L), (_late.Leases[Lease].Lines[Limit].Unposted, _late.Leases[Lease].Lines[Limit].Outstanding));
        Assert.Equal(40, Assert.IsType<Answer.Refused>(Apply(Claim(Ids.New(), 1, 41, ceiling: 100))).Available);

        Apply(new PostUses(Lease, [Limit]));
        Assert.Equal((20L, 40L), Figures(_late, Limit));
        Assert.Equal(0, _late.Leases[Lease].Lines[Limit].Unposted);
    }

    [Fact]
    public void What_the_lease_does_not_hold_is_counted_at_once()
    {
        Apply(Claim(Lease, 1, 60, ceiling: 100));
        Apply(Settlement(Lease, 20));
        Apply(Settlement(Lease, 41)); // of 40
        Assert.Equal((61L, 0L), Figures(_late, Limit));

        Apply(Settlement(Ids.New(), 5));
        Assert.Equal((66L, 0L), Figures(_late, Limit));
        Assert.Equal(66, _late.Counted[Limit]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_was_used_is_posted_with_the_end_of_the_lease_and_with_its_next_extension(bool ends)
    {
        Apply(Claim(Lease, 1, 60, ceiling: 100));
        Apply(Settlement(Lease, 20));
        _now = _now.AddMinutes(ends ? 2 : 0);

        Apply(ends ? new Expire(Lease, [Limit]) : Claim(Lease, 2, 1, ceiling: 100));

        Assert.Equal(ends ? (20L, 0L) : (20L, 41L), Figures(_late, Limit));
    }

    /// <summary>Two stores have the same history; one of them reads counters with each settlement.</summary>
    [Fact]
    public void Whatever_happens_counters_give_the_same_and_come_to_the_same()
    {
        for (var seed = 0; seed < Histories; seed++)
        {
            var (random, early, late) = (new Random(seed), new MemoryStore(), new MemoryStore());
            Guid[] limits = [Ids.New(), Ids.New()], leases = [Ids.New(), Ids.New(), Ids.New()];
            var now = Noon;
            for (var step = 0; step < Steps; step++)
            {
                now = now.AddSeconds(random.Next(9));
                var command = Make(random, early, limits, leases);
                Assert.Equal(Decided(early.Apply(command, now)), Decided(late.ApplyLate(command, now)));
                Assert.All(limits, limit => Assert.Equal(Taken(early, limit), Taken(late, limit)));
            }
            foreach (var lease in leases)
                late.Apply(new PostUses(lease, limits), now);
            Assert.All(limits, limit => Assert.Equal(Figures(early, limit), Figures(late, limit)));
            Assert.All(limits, limit => Assert.Equal(early.Counted.GetValueOrDefault(limit), Figures(late, limit).Posted));
        }
    }

    static Command Make(Random random, MemoryStore store, Guid[] limits, Guid[] leases)
    {
        var lease = leases[random.Next(leases.Length)];
        var known = store.Leases.GetValueOrDefault(lease);
        switch (random.Next(6))
        {
            case 0 or 1:
                return new Extend(
                    new(lease, (known?.Fence ?? 0) + 1, "proxy", [.. limits.Select(limit => Counting(limit, 1 + random.Next(30), 400))])
                    {
                        FirstSource = limits.Length, Scope = new(Organization, Project, Organization, false),
                    },
                    Final: true);
            case 2 when known is not null:
                return new GiveBack(new(
                    lease, known.ReturnFence + 1,
                    [.. known.Lines.Select(line => new Amount(line.Key, random.Next((int)line.Value.Outstanding + 1)))]));
            case 3:
                return new Expire(lease, limits);
            default:
                return new Settle(new(
                    Ids.New(), random.Next(9) == 8 ? null : lease,
                    [.. limits[random.Next(2)..].Select(limit => new Charge(limit, 1 + random.Next(12), random.Next(9) == 8 ? 1 : 0))],
                    UsageRecords.Of(0, Organization, Project, Noon)));
        }
    }

    /// <summary>What is said of others' holds is left out: that is what is known later.</summary>
    static string Decided(Answer answer) => answer switch
    {
        Answer.Granted granted => string.Join(' ', granted.Amounts),
        Answer.Refused refused => $"{refused.Reason}",
        _ => $"{answer}",
    };

    static (long Posted, long Reserved) Figures(MemoryStore store, Guid counter) =>
        store.Accounts.TryGetValue(counter, out var account) ? (account.Posted, account.Reserved) : default;

    static long Taken(MemoryStore store, Guid counter) => Figures(store, counter).Posted + Figures(store, counter).Reserved;

    Answer Apply(Command command)
    {
        _early.Apply(command, _now);
        return _late.ApplyLate(command, _now);
    }

    static Extend Claim(Guid lease, long fence, long amount, long ceiling) => new(
        new(lease, fence, "proxy", [Counting(Limit, amount, ceiling)])
        {
            FirstSource = 1, Scope = new(Organization, Project, Organization, false),
        },
        Final: true);

    static LeaseDemand Counting(Guid register, long amount, long ceiling) => new(register, amount, amount, amount, amount)
    {
        Counter = new(AccountKind.Limit, Unit.Tokens, null, ceiling, Noon.AddHours(-1), Noon.AddHours(1)),
    };

    static Settle Settlement(Guid lease, long tokens) =>
        new(new(Ids.New(), lease, [new(Limit, tokens)], UsageRecords.Of(0, Organization, Project, Noon)));
}
