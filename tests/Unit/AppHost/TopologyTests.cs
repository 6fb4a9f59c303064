using LlmGateway.AppHost;
using Xunit;

namespace LlmGateway.UnitTests.AppHost;

public sealed class TopologyTests
{
    [Fact]
    public void No_two_services_share_a_port() =>
        Assert.Equal(Topology.Services.Count, Topology.Services.Select(service => service.Port).Distinct().Count());
}
