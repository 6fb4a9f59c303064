using LlmGateway.ServiceDefaults;
using RabbitMQ.Client;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>What happens to a message that its consumer could not handle.</summary>
public sealed class RedeliveryTests
{
    [Theory]
    [InlineData(0), InlineData(3), InlineData(Redelivery.MaxTimes)]
    public void While_a_dependency_is_away_it_comes_again_for_ever(int before) =>
        Assert.Equal(before, Redelivery.Next(new TimeoutException(), before));

    [Fact]
    public void After_another_failure_it_comes_again_a_few_times()
    {
        var bug = new InvalidOperationException();

        Assert.Equal(1, Redelivery.Next(bug, 0));
        Assert.Equal(Redelivery.MaxTimes, Redelivery.Next(bug, Redelivery.MaxTimes - 1));
        Assert.Null(Redelivery.Next(bug, Redelivery.MaxTimes));
    }

    [Fact]
    public void What_cannot_be_read_does_not_come_again() => Assert.Null(Redelivery.Next(new InvalidDataException(), 0));

    [Fact]
    public void It_keeps_its_own_headers_and_none_that_brokers_and_failures_noted()
    {
        var again = Redelivery.Again(new BasicProperties
        {
            ContentType = "application/octet-stream",
            Headers = new Dictionary<string, object?>
            {
                ["Gone-Holder"] = "proxy", ["x-death"] = 1, ["MT-Fault-Message"] = "no", [Redelivery.CountHeader] = 5,
            },
        }, 0);

        Assert.Equal(["Gone-Holder"], again.Headers!.Keys);
        Assert.Equal(("application/octet-stream", true), (again.ContentType, again.Persistent));
    }
}
