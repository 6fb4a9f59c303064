using LlmGateway.Webhooks;
using Xunit;

namespace LlmGateway.UnitTests.Webhooks;

public sealed class ScheduleTests
{
    [Fact]
    public void Ten_tries_take_three_days_at_least_also_when_each_wait_is_as_short_as_it_may_be()
    {
        Assert.Equal(10, Schedule.MaxTries);
        Assert.True(Total(random: 0.5) >= TimeSpan.FromHours(72));
        Assert.Equal((Total(0.5) * 0.8).TotalSeconds, Total(0).TotalSeconds, tolerance: 1);
        Assert.Equal((Total(0.5) * 1.2).TotalSeconds, Total(1).TotalSeconds, tolerance: 1);

        static TimeSpan Total(double random) =>
            Enumerable.Range(1, 9).Aggregate(TimeSpan.Zero, (sum, tries) => sum + Schedule.After(tries, null, random)!.Value);
    }

    [Fact]
    public void After_the_tenth_there_is_none_whatever_the_receiver_asks_for() =>
        Assert.Null(Schedule.After(10, TimeSpan.FromMinutes(1), 0.5));

    [Theory]
    [InlineData(1, 3, 5)] // what it asks for makes a wait no shorter
    [InlineData(1, 60, 60)]
    [InlineData(2, 60, 300)]
    [InlineData(1, 86_400, 86_400)]
    [InlineData(1, 86_401, 86_400)]
    [InlineData(1, 1e9, 86_400)]
    public void A_receiver_may_ask_for_a_longer_wait_up_to_a_day(int tries, double asked, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Schedule.After(tries, TimeSpan.FromSeconds(asked), 0.5));
}
