using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>What proxies are told of a limit: which register counts when, and how far.</summary>
public sealed class TermsTests
{
    static readonly Guid Customer = Ids.New();

    /// <summary>A session that calls, and then only is refreshed. A call with its last token finds what it has spent.</summary>
    [Fact]
    public void A_cap_is_over_before_its_counter_is_forgotten()
    {
        var made = new DateTimeOffset(2026, 12, 1, 0, 0, 0, TimeSpan.Zero);
        var used = Terms.CapOf(Ids.New(), 50, made.AddSeconds(MintSession.MinTtlSeconds)).Terms[0];
        var lastToken = made + RefreshSession.CapsLastFor + TimeSpan.FromSeconds(MintSession.MaxTtlSeconds);
        Assert.True(lastToken < used.To + LlmGateway.Wallet.Ledger.CountersNamedFor);
    }

    [Fact]
    public void A_limit_has_the_running_cycle_as_its_term()
    {
        var line = Terms.LineOf(Limit(), Utc("2026-11-27T12:00"));

        Assert.Equal((Unit.Tokens, "customer", (Selector?)null), (line.Unit, line.Level, line.Only));
        var term = Assert.Single(line.Terms);
        Assert.Equal((Utc("2026-11-01"), Utc("2026-12-01"), 100), (term.From, term.To, term.Ceiling));
    }

    [Fact]
    public void Shortly_before_an_edge_the_next_term_is_known()
    {
        var before = Terms.LineOf(Limit(), Utc("2026-11-30T23:54:59")).Terms;
        var terms = Terms.LineOf(Limit(), Utc("2026-11-30T23:55:01")).Terms;

        Assert.Equal([Assert.Single(before), terms[1]], terms);
        Assert.Equal((Utc("2026-12-01"), Utc("2027-01-01")), (terms[1].From, terms[1].To));
        Assert.NotEqual(terms[0].Register, terms[1].Register);
    }

    [Fact]
    public void Terms_cover_now_and_what_follows_whatever_raises_and_cycles_there_are() => Seeds.ForEach(20_000, random =>
    {
        var now = Utc("2026-11-27").AddSeconds(random.Next(3 * 24 * 3600));
        var limit = Limit(((string[])["hour", "day", "month", "days:3"])[random.Next(4)]);
        for (var i = random.Next(4); i > 0; i--)
        {
            var start = now.AddMinutes(random.Next(-90, 10));
            limit.Raises.Add(Raise(random.Next(50, 300), start, start.AddMinutes(1 + random.Next(90))));
        }

        var terms = Terms.LineOf(limit, now).Terms;

        Assert.True(terms[0].From <= now - Terms.Around && terms[^1].To >= now + Terms.Around);
        Assert.All(terms.Zip(terms.Skip(1)), pair => Assert.Equal(pair.First.To, pair.Second.From));
        Assert.All(terms.Zip(terms.Skip(1)), pair => Assert.NotEqual(
            (pair.First.Register, pair.First.Ceiling), (pair.Second.Register, pair.Second.Ceiling)));
        for (var at = now - Terms.Around; at < now + Terms.Around; at = at.AddSeconds(30))
        {
            var term = Assert.Single(terms, term => term.From <= at && at < term.To);
            var highest = limit.Raises.Where(raise => raise.StartsAt <= at && at < raise.EndsAt).Select(raise => raise.Amount)
                .Append(limit.Amount).Max();
            Assert.Equal(highest, term.Ceiling);
            Assert.Contains(term, Terms.LineOf(limit, at).Terms); // whenever one asks
        }
    });

    [Fact]
    public void A_limit_that_is_changed_or_removed_and_added_again_finds_its_counter()
    {
        var now = Utc("2026-11-27T12:00");
        var register = RegisterOf(Limit(), now);
        var raised = Limit();
        raised.Raises.Add(Raise(500, now, now.AddHours(1)));

        Assert.Equal(register, RegisterOf(Limit(amount: 50), now)); // lowered below what was used
        Assert.Equal(register, RegisterOf(raised, now));
        Assert.Equal(register, RegisterOf(Limit(id: "another"), now)); // removed, and added again
        Assert.Equal(register, RegisterOf(Limit(anchor: "2026-03-01"), now)); // the same months
        Assert.Distinct(
        [
            register, RegisterOf(Limit("day"), now), RegisterOf(Limit(anchor: "2026-03-02"), now),
            RegisterOf(Limit(zone: "Europe/Berlin"), now), RegisterOf(Limit(unit: "requests"), now),
            RegisterOf(Limit(models: ["small"]), now),
        ]);
    }

    [Fact]
    public void A_raise_counts_from_its_start_to_its_end_and_the_highest_counts()
    {
        var limit = Limit("day");
        limit.Raises.Add(Raise(200, Utc("2026-11-27T10:00"), Utc("2026-11-27T12:00")));
        limit.Raises.Add(Raise(150, Utc("2026-11-27T11:00"), Utc("2026-11-28T10:00")));
        limit.Raises.Add(Raise(80, Utc("2026-11-27T08:00"), Utc("2026-11-28T20:00"))); // below the limit's own: the limit rose since then

        Assert.Equal(100, CeilingAt("2026-11-27T09:59"));
        Assert.Equal(200, CeilingAt("2026-11-27T10:00"));
        Assert.Equal(200, CeilingAt("2026-11-27T11:59"));
        Assert.Equal(150, CeilingAt("2026-11-27T12:00"));
        Assert.Equal(150, CeilingAt("2026-11-28T09:59")); // in the next cycle as well
        Assert.Equal(100, CeilingAt("2026-11-28T10:00"));
        Assert.Equal(
            RegisterOf(limit, Utc("2026-11-27T09:00")), RegisterOf(limit, Utc("2026-11-27T10:00"))); // what was used counts under a raise

        long CeilingAt(string at) => TermAt(limit, Utc(at)).Ceiling;
    }

    [Theory]
    [InlineData("UTC"), InlineData("Asia/Tokyo"), InlineData("Asia/Kolkata"), InlineData("Pacific/Chatham"), InlineData("Pacific/Honolulu")]
    public void The_instant_that_is_shown_as_reset_is_the_first_of_the_next_register(string zone)
    {
        foreach (var cycle in (string[])["hour", "day", "week", "month", "quarter", "year", "days:10"])
        {
            var limit = Limit(cycle, zone: zone);
            var now = Utc("2026-11-27T12:34:56");
            var resets = LimitView.Of(limit, new Dictionary<Guid, CounterState>(), now).Resets;

            Assert.Equal(RegisterOf(limit, now), RegisterOf(limit, resets.AddTicks(-1)));
            Assert.NotEqual(RegisterOf(limit, now), RegisterOf(limit, resets));
            Assert.Equal(TermAt(limit, now).To, resets);
        }
    }

    [Fact]
    public void Cycles_without_use_move_no_edge()
    {
        var limit = Limit("days:3");
        var edges = new List<DateTimeOffset>();
        for (var at = Utc("2026-01-01"); edges.Count < 100; at = edges[^1])
            edges.Add(TermAt(limit, at).To);

        Assert.Contains(TermAt(limit, edges[98].AddHours(1)).To, edges); // asked for the first time
    }

    [Fact]
    public void A_term_ends_with_its_plan_and_has_its_part_or_all()
    {
        var term = new Term(Customer, Utc("2026-11-01"), Utc("2026-12-01"), 100_000);

        Assert.Equal(term, Terms.Cut(term, term.To, full: false));
        Assert.Null(Terms.Cut(term, term.From, full: true));
        Assert.Equal(term with { To = Utc("2026-11-11"), Ceiling = 33_334 }, Terms.Cut(term, Utc("2026-11-11"), full: false));
        Assert.Equal(term with { To = Utc("2026-11-11") }, Terms.Cut(term, Utc("2026-11-11"), full: true));
        Assert.Equal(
            long.MaxValue / 2 + 1,
            Terms.Cut(term with { Ceiling = long.MaxValue }, Utc("2026-11-16"), full: false)!.Ceiling);
    }

    /// <summary>The anchor of a plan's cycle is when it was bought, to the second, and so is its end: no day is rounded.</summary>
    [Theory]
    [InlineData("UTC", "2026-10-20", 30), InlineData("America/New_York", "2026-10-20", 30), InlineData("Asia/Tokyo", "2026-10-20", 30)]
    [InlineData("UTC", "2026-01-31", 30), InlineData("UTC", "2026-02-10", 30), InlineData("UTC", "2026-02-10", 31)]
    public void A_plan_that_is_bought_shortly_before_midnight_has_one_quota(string zone, string day, int days)
    {
        var bought = Cycles.Of(new(CycleUnit.Day, 1, new(2026, 1, 1, 23, 30, 0), zone), Utc($"{day}T23:59")).From;
        var mine = PlanOf(bought, bought.AddDays(days));
        var quotas = new HashSet<Term>();

        for (var at = bought; at < mine.EndsAt!.Value.AddDays(1); at = at.AddMinutes(1))
        {
            var terms = Terms.QuotaOf(mine, Monthly(full: true), at);
            Assert.Equal(at < mine.EndsAt, terms.Any(term => term.From <= at && at < term.To));
            quotas.UnionWith(terms);
        }

        Assert.Equal((bought, mine.EndsAt.Value, 1_000), Assert.Single(quotas) is var only ? (only.From, only.To, only.Ceiling) : default);
    }

    [Fact]
    public void A_quota_is_that_of_the_month_since_the_plan_began()
    {
        var mine = PlanOf(Utc("2026-01-31T09:00"), Utc("2026-07-15T09:00"));
        var plan = Monthly(full: false);

        var terms = ((DateTimeOffset[])[Utc("2026-01-31T09:00"), Utc("2026-03-01"), Utc("2026-04-01"), Utc("2026-07-01")])
            .Select(at => Assert.Single(Terms.QuotaOf(mine, plan, at), term => term.From <= at && at < term.To)).ToList();

        Assert.Equal(
            [Utc("2026-02-28T09:00"), Utc("2026-03-31T09:00"), Utc("2026-04-30T09:00"), Utc("2026-07-15T09:00")],
            terms.Select(term => term.To));
        Assert.Equal([1_000, 1_000, 1_000, 484], terms.Select(term => term.Ceiling)); // 15 of 31 days
        Assert.Distinct(terms.Select(term => term.Register));
        Assert.DoesNotContain(Terms.QuotaOf(mine, plan, Utc("2026-07-15T09:00")), term => term.To > Utc("2026-07-15T09:00"));
    }

    [Fact]
    public void A_plan_has_one_quota_for_each_month_that_it_begins_and_none_reaches_beyond_its_end() => Seeds.ForEach(300, random =>
    {
        var start = Utc("2026-01-01").AddMinutes(random.Next(500 * 24 * 60));
        var end = start.AddMinutes(random.Next(1, 500 * 24 * 60));
        var mine = PlanOf(start, end);
        var plan = Monthly(full: random.Next(2) == 0);
        var terms = new List<Term>();
        for (var at = start; at < end; at = terms[^1].To)
            terms.Add(Assert.Single(Terms.QuotaOf(mine, plan, at), term => term.From <= at && at < term.To));

        var months = end - start <= TimeSpan.FromDays(31)
            ? 1
            : Enumerable.Range(0, 20).TakeWhile(month => start.AddMonths(month) < end).Count();
        Assert.Equal((months, start, end), (terms.Count, terms[0].From, terms[^1].To));
        Assert.Distinct(terms.Select(term => term.Register));
        Assert.All(terms.Zip(terms.Skip(1)), pair => Assert.Equal(pair.First.To, pair.Second.From));
        Assert.All(terms[..^1], term => Assert.Equal(1_000, term.Ceiling));
        Assert.InRange(terms[^1].Ceiling, 1, 1_000);
    });

    /// <summary>In February, too, the month that is bought first goes on when more are bought.</summary>
    [Fact]
    public void A_plan_of_a_months_length_that_is_renewed_keeps_what_it_used()
    {
        var plan = Monthly(full: false);
        var mine = PlanOf(Utc("2026-02-10"), Utc("2026-03-12"));
        var only = Assert.Single(Terms.QuotaOf(mine, plan, Utc("2026-03-01")));

        mine.EndsAt = Utc("2026-04-11");
        var first = Assert.Single(Terms.QuotaOf(mine, plan, Utc("2026-03-01")));

        Assert.Equal((Utc("2026-03-12"), 1_000), (only.To, only.Ceiling));
        Assert.Equal(only with { To = Utc("2026-03-10") }, first);
    }

    [Fact]
    public void A_customer_that_changes_its_plan_keeps_what_it_used()
    {
        var now = Utc("2026-11-27");
        var mine = PlanOf(Utc("2026-11-10"), null);
        var small = Assert.Single(Terms.QuotaOf(mine, Monthly(full: false), now));
        var large = Assert.Single(Terms.QuotaOf(mine, Monthly(full: false, tokens: 5_000), now));
        var unlimited = Assert.Single(Terms.QuotaOf(mine, Monthly(full: false, tokens: null), now));

        Assert.Equal(small with { Ceiling = 5_000 }, large);
        Assert.Equal(small with { Ceiling = LimitRules.MaxAmount }, unlimited);
    }

    static CustomerPlan PlanOf(DateTimeOffset start, DateTimeOffset? end) => new()
    {
        CustomerId = Customer, Id = Ids.New(), ProjectId = Customer, PlanId = "starter", StartsAt = start, EndsAt = end,
    };

    static Plan Monthly(bool full, long? tokens = 1_000) => new()
    {
        ProjectId = Customer, Id = "starter", Name = "Starter", PriceNanos = 0, Tokens = tokens, TrialDays = 0, LastTermFull = full,
    };

    static Guid RegisterOf(CustomerLimit limit, DateTimeOffset at) => TermAt(limit, at).Register;

    static Term TermAt(CustomerLimit limit, DateTimeOffset at) =>
        Terms.LineOf(limit, at).Terms.Single(term => term.From <= at && at < term.To);

    static CustomerLimit Limit(
        string cycle = "month", string id = "tokens", long amount = 100, string? anchor = null, string zone = "UTC", string unit = "tokens",
        string[]? models = null) => new()
        {
            CustomerId = Customer, Id = id, Position = 0, Unit = unit, Amount = amount, Cycle = cycle, TimeZone = zone,
            Anchor = anchor is null ? null : DateTime.Parse(anchor, CultureInfo.InvariantCulture), Models = models?.ToList(),
        };

    static LimitRaise Raise(long amount, DateTimeOffset from, DateTimeOffset to) => new()
    {
        Id = Ids.New(), CustomerId = Customer, LimitId = "tokens", Amount = amount, StartsAt = from, EndsAt = to,
    };

    static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
}
