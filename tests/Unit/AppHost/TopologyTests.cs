using LlmGateway.AppHost;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.AppHost;

public sealed class TopologyTests
{
    static readonly Dictionary<string, ServiceNeeds> Needs = new()
    {
        ["Wallet"] = LlmGateway.Wallet.Configuration.Needs,
        ["Sessions"] = LlmGateway.Sessions.Configuration.Needs,
        ["Proxy"] = LlmGateway.Proxy.Configuration.Needs,
        // The sandbox is no part of the gateway and needs none of its services.
        ["Sandbox"] = new("sandbox", [], [], [], []),
    };

    public static TheoryData<string> Services => [.. Topology.Services.Select(service => service.Name)];

    [Theory, MemberData(nameof(Services))]
    public void Each_service_is_given_exactly_what_it_reads(string name)
    {
        var given = Topology.Services.Single(service => service.Name == name);
        var needs = Needs[given.Project];

        Assert.Equal(needs.Connections.Order(), given.Connections.Order());
        Assert.Equal(needs.Services.Order(), given.References.Order());
        Assert.Equal(needs.Settings.Order(), given.Settings.Order());
        Assert.Equal(needs.OptionalSettings.Order(), given.OptionalSettings.Order());
    }

    [Fact]
    public void Every_service_project_runs_and_no_two_share_a_port()
    {
        Assert.Equal(Needs.Keys.Order(), Topology.Services.Select(service => service.Project).Distinct().Order());
        Assert.Equal(Topology.Services.Count, Topology.Services.Select(service => service.Port).Distinct().Count());
    }
}
