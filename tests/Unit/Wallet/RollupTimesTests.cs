using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

public sealed class RollupTimesTests
{
    static readonly TimeSpan Quarter = RollupTimes.Quarter, Day = RollupTimes.Day;

    [Fact]
    public void Every_moment_of_a_time_is_in_one_roll_up_or_in_the_quarter_that_is_cut() => Seeds.ForEach(5_000, random =>
    {
        var from = new DateTimeOffset(2026, 11, 1, 0, 0, 0, TimeSpan.Zero).AddSeconds(random.Next(10 * 86_400));
        from = random.Next(2) == 0 ? RollupTimes.Floor(from, random.Next(2) == 0 ? Quarter : Day) : from;
        var to = from.AddSeconds(random.Next(1, random.Next(2) == 0 ? 7_200 : 40 * 86_400));

        var times = RollupTimes.Of(from, to);

        var spans = times.Days.Select(at => (From: at, To: at + Day)).Concat(times.Quarters.Select(at => (From: at, To: at + Quarter)))
            .OrderBy(span => span.From).ToList();
        var next = times.Begin.UtcDateTime;
        Assert.InRange(next - from.UtcDateTime, TimeSpan.Zero, Quarter - TimeSpan.FromTicks(1));
        foreach (var span in spans)
        {
            Assert.Equal(next, span.From);
            next = span.To;
        }
        Assert.Equal(times.End.UtcDateTime, next);
        Assert.InRange(next - to.UtcDateTime, TimeSpan.Zero, Quarter);
        Assert.All(times.Days, day => Assert.InRange(day, times.FirstDay.UtcDateTime, times.EndOfDays.UtcDateTime - Day));
        Assert.InRange(times.Quarters.Length, 0, 2 * 96);
    });
}
