using System.Text.RegularExpressions;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>
/// Every background service's loop is <c>Loop.RunAsync</c>: an exception that leaves another one ends the process. Read from the sources,
/// so that a new service is in the list by itself.
/// </summary>
public sealed partial class BackgroundServicesTests
{
    /// <summary>They do one thing and end. What of it must not end the process, they catch.</summary>
    static readonly string[] DoOneThing = ["Database.cs", "Seeding.cs", "EndpointVersions.cs", "PlayedPayments.cs", "MailCatcher.cs"];

    [Fact]
    public void No_background_service_has_a_loop_of_its_own()
    {
        string[] folders = ["services", "ServiceDefaults"];
        var sources = folders
            .SelectMany(folder => Directory.GetFiles(
                Path.Combine(ArchitectureTests.Repository, folder), "*.cs", SearchOption.AllDirectories))
            .Select(file => (Name: Path.GetFileName(file), Text: File.ReadAllText(file)))
            .Where(source => Declared().IsMatch(source.Text))
            .ToList();

        Assert.True(sources.Count >= 10, $"only {sources.Count} background services were found");
        Assert.All(sources, source =>
        {
            Assert.Equal(!DoOneThing.Contains(source.Name), source.Text.Contains("Loop.RunAsync(", StringComparison.Ordinal));
            Assert.DoesNotMatch(OwnLoop(), source.Text);
        });
    }

    [GeneratedRegex(@"\bclass \w+[^{}]*:\s*BackgroundService\b")]
    private static partial Regex Declared();

    [GeneratedRegex(@"PeriodicTimer|WaitForNextTick|while \(!\w*([sS]topping|token)|while \(true|for \(; ; ?\)\s*\{\s*try")]
    private static partial Regex OwnLoop();
}
