using System.Reflection;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.UnitTests.Docs;
using LlmGateway.Webhooks;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>
/// What endpoints may ask for, and what they are told. Read from the sources, so that a new event is in the list by itself.
/// </summary>
public sealed partial class EventTypesTests
{
    /// <summary>They name types of events, and tell none.</summary>
    static readonly string[] TellNone = ["AlertText.cs", "EventConsumer.cs", "LowBalanceConsumer.cs"];

    [Fact]
    public void What_can_be_asked_for_is_what_is_told()
    {
        var names = typeof(EventTypes).GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral)
            .ToDictionary(field => field.Name, field => (string)field.GetRawConstantValue()!);
        var told = Directory.GetFiles(Path.Combine(ArchitectureTests.Repository, "services"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !TellNone.Contains(Path.GetFileName(file)))
            .SelectMany(file => Named().Matches(File.ReadAllText(file)))
            .Select(match => match.Groups[1].Value).Where(names.ContainsKey).Select(name => names[name]).Distinct();

        Assert.Equal(
            EventTypes.All.Append(EventTypes.Test).Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_nobody_tells_yet_is_refused_by_its_name()
    {
        Assert.Empty(EventTypes.NotToldYet.Intersect(EventTypes.All));
        Assert.All(EventTypes.NotToldYet, name =>
        {
            var problem = Assert.Throws<ProblemException>(
                () => EndpointRules.Events([EventTypes.WalletCredited, name], "enabledEvents")).Problem;
            Assert.Equal((400, "enabledEvents[1]"), (problem.Status, problem.Param));
            Assert.Contains($"'{name}', which is not told yet", problem.Message);
        });
    }

    [GeneratedRegex(@"\bEventTypes\.(\w+)")]
    private static partial Regex Named();
}
