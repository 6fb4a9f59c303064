using System.Text.RegularExpressions;
using LlmGateway.ServiceDefaults;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>The table of failpoints names every failpoint in the source once.</summary>
public sealed partial class FailpointTests
{
    static readonly string[] InSource =
    [
        .. new[] { "ServiceDefaults", "services" }
            .SelectMany(folder =>
                Directory.EnumerateFiles(Path.Combine(ArchitectureTests.Repository, folder), "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => Hit().Matches(File.ReadAllText(file)))
            .Select(match => match.Groups["name"].Value),
    ];

    [Fact]
    public void Every_point_of_the_table_is_in_the_source_exactly_once_and_there_is_no_other() =>
        Assert.Equal(Failpoint.All.Keys.Order(StringComparer.Ordinal), InSource.Order(StringComparer.Ordinal));

    [Fact]
    public void There_are_enough_points_to_call_it_every_step() => Assert.InRange(Failpoint.All.Count, 60, 200);

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
    [InlineData("proxy.end.spoold:1:kill", "proxy.end.spoold")]
    [InlineData("proxy.end.spooled:0:kill", "'0'")]
    [InlineData("proxy.end.spooled:x:kill", "'x'")]
    [InlineData("proxy.end.spooled:1:die", "'die'")]
    [InlineData("proxy.end.spooled:1:delay=soon", "'delay=soon'")]
    [InlineData("proxy.end.spooled:1", "name:hit:action")]
    public void What_cannot_be_armed_is_refused_by_name(string spec, string named) =>
        Assert.Contains(named, Assert.Throws<FormatException>(() => Failpoint.Parse(spec)).Message);

    [Fact]
    public void Switched_off_a_point_does_nothing() => Failpoint.Hit("proxy.end.spooled");

    [GeneratedRegex(@"Failpoint\.Hit\(""(?<name>[^""]+)""\)")]
    private static partial Regex Hit();
}
