using System.Globalization;
using LlmGateway.ServiceDefaults;
using NodaTime;
using NodaTime.TimeZones;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>The edges of cycles, in every zone and through every change of clocks from 2024 to 2032.</summary>
public sealed class CyclesTests
{
    static readonly DateTimeOffset First = new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero), Last = new(2033, 1, 1, 0, 0, 0, TimeSpan.Zero);

    static readonly TimeSpan[] Times =
        [.. ((double[])[0, 0.5, 1, 1.5, 2, 2.5]).Select(TimeSpan.FromHours)];

    static readonly DateTime[] Days =
        [new(2024, 1, 28), new(2024, 1, 29), new(2024, 1, 30), new(2024, 1, 31), new(2024, 2, 29), new(2023, 11, 30)];

    static readonly (CycleUnit, int)[] Kinds =
    [
        (CycleUnit.Hour, 1), (CycleUnit.Day, 1), (CycleUnit.Day, 7), (CycleUnit.Day, 10), (CycleUnit.Month, 1), (CycleUnit.Month, 3),
        (CycleUnit.Month, 12),
    ];

    /// <summary>Zones apart by what their clocks do in these years: the others are these under another name.</summary>
    static readonly string[] Zones =
        [.. TzdbDateTimeZoneSource.Default.CanonicalIdMap.Keys.Order(StringComparer.Ordinal)
            .DistinctBy(zone => string.Join(
                ' ',
                ChangesOf(zone).Select(change => $"{change.Start}{change.WallOffset}")
                    .Prepend($"{DateTimeZoneProviders.Tzdb[zone].GetUtcOffset(Instant.FromDateTimeOffset(First))}")))];

    [Fact]
    public void Edges_tile_in_every_zone_and_cycle()
    {
        Assert.True(Zones.Length > 60, $"only {Zones.Length} zones differ");
        foreach (var zone in Zones)
            foreach (var (unit, count) in Kinds)
                foreach (var day in unit == CycleUnit.Hour ? Days[..1] : Days) // hours know no day
                    foreach (var time in Times)
                        MustTile(new(unit, count, day + time, zone), Around(zone, unit));
    }

    [Fact]
    public void Edges_at_every_time_of_the_night_tile_where_clocks_change()
    {
        foreach (var zone in TzdbDateTimeZoneSource.Default.CanonicalIdMap.Keys)
            foreach (var time in Times)
                MustTile(new(CycleUnit.Day, 1, Cycles.DefaultAnchor + time, zone), Around(zone, CycleUnit.Day));
    }

    /// <summary>Every cycle from the first instant of each stretch to its last, each found from several instants in it.</summary>
    static void MustTile(CycleRule rule, IEnumerable<(DateTimeOffset From, DateTimeOffset To)> stretches)
    {
        foreach (var (start, end) in stretches)
        {
            var names = new HashSet<string>();
            for (var cycle = Cycles.Of(rule, start); cycle.From < end;)
            {
                Assert.True(cycle.From < cycle.To, $"{rule}: {cycle}");
                Assert.True(names.Add(cycle.Name), $"{rule}: {cycle} is there twice");
                Assert.True(IsLong(rule, cycle.To - cycle.From), $"{rule}: {cycle} has {cycle.To - cycle.From}");
                Assert.Equal(cycle, Cycles.Of(rule, cycle.From));
                Assert.Equal(cycle, Cycles.Of(rule, cycle.From + (cycle.To - cycle.From) / 2));
                Assert.Equal(cycle, Cycles.Of(rule, cycle.To.AddTicks(-1)));
                var next = Cycles.Of(rule, cycle.To);
                Assert.True(next.From == cycle.To, $"{rule}: after {cycle} comes {next}");
                cycle = next;
            }
        }
    }

    /// <summary>No cycle is longer or shorter than clocks make it. Troll, which moves its clocks by two hours, is the extreme.</summary>
    static bool IsLong(CycleRule rule, TimeSpan length)
    {
        var shift = TimeSpan.FromHours(rule.Zone == "Antarctica/Troll" ? 2 : 1);
        var (least, most) = rule.Unit switch
        {
            CycleUnit.Hour => (TimeSpan.FromHours(1), TimeSpan.FromHours(1)),
            CycleUnit.Day => (TimeSpan.FromDays(rule.Count) - shift, TimeSpan.FromDays(rule.Count) + shift),
            _ => (TimeSpan.FromDays(28 * rule.Count) - shift, TimeSpan.FromDays(31 * rule.Count) + shift),
        };
        return length >= least && length <= most && length.Ticks % TimeSpan.FromMinutes(30).Ticks == 0;
    }

    /// <summary>All years for long cycles. The days around changes of clocks for short ones: all other days are alike.</summary>
    static IEnumerable<(DateTimeOffset From, DateTimeOffset To)> Around(string zone, CycleUnit unit) => unit == CycleUnit.Month
        ? [(First, Last)]
        : ChangesOf(zone).Select(change => change.Start.ToDateTimeOffset())
            .Append(new(2028, 2, 29, 12, 0, 0, TimeSpan.Zero))
            .Select(change => (change.AddDays(-2), change.AddDays(2)));

    static IEnumerable<ZoneInterval> ChangesOf(string zone) => DateTimeZoneProviders.Tzdb[zone]
        .GetZoneIntervals(Instant.FromDateTimeOffset(First), Instant.FromDateTimeOffset(Last))
        .Where(interval => interval.HasStart && interval.Start > Instant.FromDateTimeOffset(First));

    [Fact]
    public void A_cycle_does_not_depend_on_when_one_asks() => Seeds.ForEach(2_000, random =>
    {
        var (unit, count) = Kinds[random.Next(Kinds.Length)];
        var rule = new CycleRule(unit, count, Days[random.Next(Days.Length)] + Times[random.Next(Times.Length)],
            Zones[random.Next(Zones.Length)]);
        var cycle = Cycles.Of(rule, First + (Last - First) * random.NextDouble());
        for (var i = 0; i < 50; i++)
            Assert.Equal(cycle, Cycles.Of(rule, cycle.From.AddTicks(random.NextInt64((cycle.To - cycle.From).Ticks))));
    });

    [Theory]
    [InlineData(1, "2024-01-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31")]
    [InlineData(1, "2024-01-30", "2025-01-30", "2025-02-28", "2025-03-30", "2025-04-30", "2025-05-30")]
    [InlineData(3, "2023-11-30", "2023-11-30", "2024-02-29", "2024-05-30", "2024-08-30", "2024-11-30", "2025-02-28")]
    [InlineData(12, "2024-02-29", "2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29")]
    public void Months_are_counted_from_the_anchor_and_end_where_a_month_does(int months, string anchor, params string[] edges)
    {
        var rule = new CycleRule(CycleUnit.Month, months, DateTime.Parse(anchor, CultureInfo.InvariantCulture), "UTC");
        foreach (var (edge, next) in edges.Zip(edges.Skip(1)))
        {
            var cycle = Cycles.Of(rule, Utc(edge));
            Assert.Equal((edge, Utc(edge), Utc(next)), (cycle.Name, cycle.From, cycle.To));
        }
    }

    [Fact]
    public void A_fiscal_year_starts_where_its_anchor_says()
    {
        var april = new CycleRule(CycleUnit.Month, 12, new(2020, 4, 1), "Europe/London");

        Assert.Equal(
            new Cycle("2026-04-01", Utc("2026-03-31T23:00"), Utc("2027-03-31T23:00")), Cycles.Of(april, Utc("2026-11-27")));
    }

    [Theory]
    [InlineData("Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00", 23)]
    [InlineData("Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00", 25)]
    [InlineData("America/Santiago", "2026-09-06T04:00", "2026-09-07T03:00", 23)] // midnight itself is skipped
    [InlineData("Africa/Cairo", "2026-04-23T22:00", "2026-04-24T21:00", 23)]
    [InlineData("Asia/Beirut", "2026-03-28T22:00", "2026-03-29T21:00", 23)]
    [InlineData("Australia/Lord_Howe", "2026-04-04T13:00", "2026-04-05T13:30", 24.5)]
    [InlineData("Asia/Kolkata", "2026-11-26T18:30", "2026-11-27T18:30", 24)]
    [InlineData("Asia/Kathmandu", "2026-11-26T18:15", "2026-11-27T18:15", 24)]
    [InlineData("Pacific/Chatham", "2026-11-26T10:15", "2026-11-27T10:15", 24)]
    public void A_day_begins_with_the_zones_date_and_has_its_hours(string zone, string from, string to, double hours)
    {
        var day = Cycles.Of(new(CycleUnit.Day, 1, Cycles.DefaultAnchor, zone), Utc(from));

        Assert.Equal((Utc(from), Utc(to), hours), (day.From, day.To, (day.To - day.From).TotalHours));
    }

    [Fact]
    public void A_day_that_a_zone_leaves_out_is_a_cycle_without_an_instant()
    {
        var apia = new CycleRule(CycleUnit.Day, 1, Cycles.DefaultAnchor, "Pacific/Apia");

        var before = Cycles.Of(apia, Utc("2011-12-30T09:59"));
        var after = Cycles.Of(apia, Utc("2011-12-30T10:00"));

        Assert.Equal(("2011-12-29", "2011-12-31", before.To), (before.Name, after.Name, after.From));
    }

    [Theory]
    [InlineData("Europe/Berlin", "2026-10-25T00:30", "2026-10-25T00:00")]
    [InlineData("Europe/Berlin", "2026-10-25T01:30", "2026-10-25T01:00")] // 02:30 for the second time
    [InlineData("Asia/Kolkata", "2026-11-27T00:29", "2026-11-26T23:30")]
    [InlineData("Asia/Kathmandu", "2026-11-27T00:15", "2026-11-27T00:15")]
    public void An_hour_has_sixty_minutes_on_every_night(string zone, string at, string from)
    {
        var hour = Cycles.Of(new(CycleUnit.Hour, 1, Cycles.DefaultAnchor, zone), Utc(at));

        Assert.Equal(
            new Cycle(Utc(from).UtcDateTime.ToString("s", CultureInfo.InvariantCulture) + "Z", Utc(from), Utc(from).AddHours(1)), hour);
    }

    [Fact]
    public void Rules_of_one_text_have_the_same_cycles() => Seeds.ForEach(20_000, random =>
    {
        var (unit, count) = Kinds[random.Next(Kinds.Length)];
        var zone = ((string[])["UTC", "Europe/Berlin", "Asia/Kolkata"])[random.Next(3)];
        var (one, other) = (Rule(), Rule());
        var at = First + (Last - First) * random.NextDouble();

        if (Cycles.TextOf(one) == Cycles.TextOf(other))
            Assert.Equal(Cycles.Of(one, at), Cycles.Of(other, at));
        else
            Assert.Contains(
                Enumerable.Range(0, 100), i => Cycles.Of(one, at.AddDays(i * 37)) != Cycles.Of(other, at.AddDays(i * 37)));

        CycleRule Rule() => new(unit, count, new DateTime(2020 + random.Next(3), 1 + random.Next(12), 27 + random.Next(2)), zone);
    });

    /// <summary>They are parts of stored ids.</summary>
    [Theory]
    [InlineData(CycleUnit.Hour, 1, "2026-11-01T00:15", "Asia/Kolkata", "0:2700")]
    [InlineData(CycleUnit.Day, 1, "2026-11-01", "UTC", "1:1:2024-01-01T00:00:00:UTC")]
    [InlineData(CycleUnit.Day, 7, "2026-11-26", "Europe/Berlin", "1:7:2024-01-04T00:00:00:Europe/Berlin")]
    [InlineData(CycleUnit.Day, 10, "1999-12-31", "UTC", "1:10:2024-01-04T00:00:00:UTC")]
    [InlineData(CycleUnit.Month, 1, "2026-02-28T09:30", "UTC", "2:1:2024-01-28T09:30:00:UTC")]
    [InlineData(CycleUnit.Month, 3, "2026-08-31", "UTC", "2:3:2024-05-31T00:00:00:UTC")]
    [InlineData(CycleUnit.Month, 12, "2020-02-29", "UTC", "2:12:2024-02-29T00:00:00:UTC")]
    public void The_text_of_a_rule_never_changes(CycleUnit unit, int count, string anchor, string zone, string text) =>
        Assert.Equal(text, Cycles.TextOf(new(unit, count, DateTime.Parse(anchor, CultureInfo.InvariantCulture), zone)));

    [Theory]
    [InlineData("Europe/Berlin", true)]
    [InlineData("Asia/Calcutta", true)] // an alias
    [InlineData("UTC", true)]
    [InlineData("Europe/berlin", false)]
    [InlineData("UTC+05:30", false)]
    [InlineData("Mars/Olympus", false)]
    [InlineData("", false)]
    public void Zones_are_known_by_their_iana_names(string name, bool known) => Assert.Equal(known, Cycles.IsZone(name));

    /// <summary>
    /// A second implementation, which knows no calendar arithmetic but a list of local dates: it walks minute by minute with the clock of
    /// the operating system, and a cycle begins when that clock reaches its date for the first time.
    /// </summary>
    [Theory]
    [InlineData("Europe/Berlin"), InlineData("America/New_York"), InlineData("America/Santiago"), InlineData("Africa/Cairo")]
    [InlineData("Asia/Beirut"), InlineData("Australia/Lord_Howe"), InlineData("Pacific/Chatham"), InlineData("Antarctica/Troll")]
    [InlineData("Asia/Kolkata"), InlineData("Asia/Kathmandu"), InlineData("Pacific/Honolulu"), InlineData("Africa/Casablanca")]
    public void A_clock_that_is_walked_minute_by_minute_agrees(string zone)
    {
        if (!TimeZoneInfo.TryFindSystemTimeZoneById(zone, out var clock))
            Assert.Skip("this machine has no data of zones");
        foreach (var time in Times)
            foreach (var (start, end) in Around(zone, CycleUnit.Day).Take(5))
                Walk(new(CycleUnit.Day, 1, Cycles.DefaultAnchor + time, zone), clock, start, end);
        foreach (var time in Times)
            Walk(new(CycleUnit.Month, 1, new DateTime(2024, 1, 31) + time, zone), clock, Utc("2026-03-27"), Utc("2026-04-02"));
    }

    static void Walk(CycleRule rule, TimeZoneInfo clock, DateTimeOffset start, DateTimeOffset end)
    {
        var zone = DateTimeZoneProviders.Tzdb[rule.Zone];
        // From more than a month before, so that the first date is passed and not only reached.
        var begun = Enumerable.Range(-40, 80).Select(day => start.UtcDateTime.Date.AddDays(day) + rule.Anchor.TimeOfDay)
            .Where(date => rule.Unit == CycleUnit.Day || date.Day == Math.Min(31, DateTime.DaysInMonth(date.Year, date.Month)))
            .ToList();
        var i = 0;
        for (var at = start.AddDays(-3); at < end; at = at.AddMinutes(1))
        {
            var offset = clock.GetUtcOffset(at);
            if (zone.GetUtcOffset(Instant.FromDateTimeOffset(at)).ToTimeSpan() != offset)
                return; // the machine has older data of this zone
            while (at.UtcDateTime + offset >= begun[i + 1])
                i++;
            if (at >= start && Cycles.Of(rule, at) is var cycle && cycle.Name != $"{begun[i]:yyyy-MM-dd}")
                Assert.Fail($"{rule} at {at}: {cycle}, not {begun[i]}");
        }
    }

    static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
}
