using System.Globalization;
using LlmGateway.Wallet;
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

    static DateTimeOffset Time(string value) => DateTimeOffset.Parse(value, CultureInfo.InvariantCulture);

    static int LocalHour(string value, string zone) =>
        TimeZoneInfo.ConvertTime(Time(value), TimeZoneInfo.FindSystemTimeZoneById(zone)).Hour;
}
