using System.Text.RegularExpressions;
using LlmGateway.ServiceDefaults;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>The tables of failpoints name every failpoint of their source once.</summary>
public sealed partial class FailpointTests
{
    static IEnumerable<string> InSource(string folder) =>
        from file in Directory.EnumerateFiles(Path.Combine(ArchitectureTests.Repository, folder), "*.cs", SearchOption.AllDirectories)
        from Match hit in Hit().Matches(File.ReadAllText(file))
        select hit.Groups["name"].Value;

    static readonly (string Folder, IReadOnlyDictionary<string, string> Points)[] Tables =
    [
        ("ServiceDefaults", Failpoint.Shared),
        ("services/Proxy", LlmGateway.Proxy.Failpoints.All),
        ("services/Sessions", LlmGateway.Sessions.Failpoints.All),
        ("services/Wallet", LlmGateway.Wallet.Failpoints.All),
        ("services/Billing", LlmGateway.Billing.Failpoints.All),
        ("services/Webhooks", LlmGateway.Webhooks.Failpoints.All),
    ];

    [Fact]
    public void Every_point_of_a_table_is_in_its_source_exactly_once_and_there_is_no_other() => Assert.All(Tables, table =>
        Assert.Equal(table.Points.Keys.Order(StringComparer.Ordinal), InSource(table.Folder).Order(StringComparer.Ordinal)));

    [Fact]
    public void There_are_enough_points_to_call_it_every_step() => Assert.InRange(Tables.Sum(table => table.Points.Count), 60, 200);

    [Fact]
    public void Several_points_can_be_armed_at_once()
    {
        Assert.Collection(Failpoint.Parse("proxy.end.spooled:1:kill, wallet.writer.locked:12:delay=250,outbox.claimed:2:throw"),
            kill => Assert.Equal(("proxy.end.spooled", 1, "kill"), (kill.Name, kill.At, kill.Action)),
            delay => Assert.Equal(
                ("wallet.writer.locked", 12, "delay", 250),
                (delay.Name, delay.At, delay.Action, delay.Delay.TotalMilliseconds)),
            fail => Assert.Equal(("outbox.claimed", 2, "throw"), (fail.Name, fail.At, fail.Action)));
        Assert.Empty(Failpoint.Parse(""));
    }

    [Theory]
    [InlineData("proxy.end.spooled:0:kill", "'0'")]
    [InlineData("proxy.end.spooled:x:kill", "'x'")]
    [InlineData("proxy.end.spooled:1:die", "'die'")]
    [InlineData("proxy.end.spooled:1:delay=soon", "'delay=soon'")]
    [InlineData("proxy.end.spooled:1", "name:hit:action")]
    public void What_cannot_be_armed_is_refused_by_name(string spec, string named) =>
        Assert.Contains(named, Assert.Throws<FormatException>(() => Failpoint.Parse(spec)).Message);

    [Fact]
    public void A_service_refuses_to_start_with_a_point_that_it_does_not_have()
    {
        Failpoint.RequireKnown("proxy.end.spooled:1:kill,outbox.claimed:1:kill", LlmGateway.Proxy.Failpoints.All);

        var refused = Assert.Throws<FormatException>(
            () => Failpoint.RequireKnown("proxy.end.spoold:1:kill", LlmGateway.Proxy.Failpoints.All));
        Assert.Contains("proxy.end.spoold", refused.Message);
    }

    [Fact]
    public void Switched_off_a_point_does_nothing() => Failpoint.Hit("proxy.end.spooled");

    [GeneratedRegex(@"Failpoint\.Hit\(""(?<name>[^""]+)""\)")]
    private static partial Regex Hit();
}
