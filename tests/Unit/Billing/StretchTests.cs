using LlmGateway.Billing;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>How much of Stripe's list of events is read at once.</summary>
public sealed class StretchTests
{
    [Fact]
    public void A_stretch_that_is_too_much_is_read_by_halves_down_to_a_second_and_then_by_more_again()
    {
        var (stretch, halves) = (TimeSpan.FromMinutes(10), new List<double>());
        for (; stretch > TimeSpan.FromSeconds(1); stretch = Reconciler.Next(stretch, isAll: false))
            halves.Add(stretch.TotalSeconds);
        Assert.Equal([600, 300, 150, 75, 37, 18, 9, 4, 2], halves);
        Assert.Equal(TimeSpan.FromSeconds(1), Reconciler.Next(stretch, isAll: false));

        for (var i = 0; i < 20; i++)
            stretch = Reconciler.Next(stretch, isAll: true);
        Assert.Equal(TimeSpan.FromMinutes(10), stretch);
    }
}
