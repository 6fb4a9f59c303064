using System.Globalization;
using LlmGateway.Wallet;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

public sealed class UsageSummaryTests
{
    [Theory]
    [InlineData("UTC", false, 24)]
    [InlineData("Asia/Kolkata", false, 24)] // +5:30
    [InlineData("Asia/Kathmandu", true, 1)] // +5:45
    [InlineData("Pacific/Chatham", true, 1)] // +12:45 or +13:45
    [InlineData("Europe/Berlin", false, 23, 24, 25)]
    [InlineData("Europe/Berlin", true, 1)]
    [InlineData("America/Santiago", false, 23, 24, 25)] // clocks change at midnight
    public void Days_and_hours_are_those_of_the_zone_and_lose_nothing(string zone, bool byHour, params int[] lengths)
    {
        // A year of quarters of an hour with one request each.
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        var quarters = Enumerable.Range(0, 365 * 96).Select(n => (start.AddMinutes(15 * n), new RollupSums(1, 0, 0, 0, 0, 0, 0, 0, 0, 0)));

        var rows = UsageSummary.ByTime(quarters, zone, byHour);

        Assert.Equal(365 * 96, rows.Sum(row => row.Sums.Requests));
        Assert.Equal(rows.Count, rows.Select(row => row.Value).Distinct().Count());
        // But for the first and the last, which the year cuts. Each has what lies between its beginning and that of the next.
        Assert.All(rows[1..].Zip(rows[2..]), pair => Assert.Equal(
            Time(pair.Second.Value) - Time(pair.First.Value), pair.First.Sums.Requests * TimeSpan.FromMinutes(15)));
        Assert.Equal(lengths, rows[1..^1].Select(row => (int)row.Sums.Requests / 4).Distinct().Order());
        if (!byHour)
            Assert.All(rows[1..], row => Assert.InRange(LocalHour(row.Value, zone), 0, zone == "America/Santiago" ? 1 : 0));
    }

    [Theory]
    [InlineData("2026-11-28", "2026-11-29", "UTC", "2026-11-28T00:00Z", "2026-11-29T00:00Z")]
    [InlineData("2026-11-28", "2026-11-29", "Pacific/Kiritimati", "2026-11-27T10:00Z", "2026-11-28T10:00Z")]
    [InlineData("2026-11-27", "2026-11-28", "Asia/Kathmandu", "2026-11-26T18:15Z", "2026-11-27T18:15Z")]
    [InlineData("2026-10-25", "2026-10-26", "Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z")] // a day of 25 hours
    [InlineData("2026-09-06", "2026-09-07", "America/Santiago", "2026-09-06T04:00Z", "2026-09-07T03:00Z")] // it begins at 01:00
    [InlineData("2026-11-28T06:00", "2026-11-29T00:00+14:00", "Asia/Kathmandu", "2026-11-28T06:00Z", "2026-11-28T10:00Z")]
    public void A_date_is_a_day_of_the_zone_and_a_time_what_it_says(string from, string to, string zone, string begins, string ends)
    {
        var query = new QueryCollection(new Dictionary<string, StringValues> { ["from"] = from, ["to"] = to });

        Assert.Equal((Time(begins), Time(ends)), UsageSummary.TimeOf(new(query), zone, Time("2027-01-01T00:00Z")));
    }

    static DateTimeOffset Time(string value) => DateTimeOffset.Parse(value, CultureInfo.InvariantCulture);

    static int LocalHour(string value, string zone) =>
        TimeZoneInfo.ConvertTime(Time(value), TimeZoneInfo.FindSystemTimeZoneById(zone)).Hour;
}
