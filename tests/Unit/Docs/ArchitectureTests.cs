using System.Text.RegularExpressions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>Every file that the documents name exists.</summary>
public sealed partial class ArchitectureTests
{
    internal static readonly string Repository = Root(AppContext.BaseDirectory);

    [Theory]
    [InlineData("docs/architecture.md")]
    [InlineData("docs/billing.md")]
    [InlineData("docs/keys.md")]
    [InlineData("docs/limits.md")]
    [InlineData("docs/money.md")]
    [InlineData("docs/providers.md")]
    [InlineData("docs/seed.md")]
    [InlineData("README.md")]
    [InlineData("AppHost/README.md")]
    [InlineData("DevTool/README.md")]
    [InlineData("services/Proxy/README.md")]
    [InlineData("services/Sessions/README.md")]
    [InlineData("services/Wallet/README.md")]
    [InlineData("services/Webhooks/README.md")]
    [InlineData("services/Billing/README.md")]
    [InlineData("services/Sandbox/README.md")]
    [InlineData("tests/EndToEnd/README.md")]
    [InlineData("tests/Faults/README.md")]
    public void Every_file_that_a_document_names_exists(string document)
    {
        var text = File.ReadAllText(Path.Combine(Repository, document));
        var known = Directory.EnumerateFiles(
            Repository,
            "*",
            new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.Hidden })
            .Where(path =>
                !path.Contains("/artifacts/", StringComparison.Ordinal) && !path.Contains("/node_modules/", StringComparison.Ordinal))
            .ToArray();

        var named = FileName().Matches(text).Select(match => match.Groups["file"].Value).Distinct().ToArray();

        Assert.All(named, name =>
            Assert.True(Array.Exists(known, path => path.EndsWith("/" + name, StringComparison.Ordinal)), $"{document} names {name}"));
    }

    [Fact]
    public void The_architecture_names_the_files_of_every_stage() =>
        Assert.True(FileName().Count(File.ReadAllText(Path.Combine(Repository, "docs/architecture.md"))) > 30);

    [Fact]
    public void The_rules_of_the_ledger_have_no_database_and_no_clock_of_their_own() =>
        Assert.All(Directory.EnumerateFiles(Path.Combine(Repository, "services/Wallet/Ledger"), "*.cs"), file =>
            Assert.DoesNotMatch("Npgsql|ServiceDefaults|TimeProvider|UtcNow|async ", File.ReadAllText(file)));

    [GeneratedRegex(@"`(?<file>[\w./-]+\.(cs|sql))`")]
    private static partial Regex FileName();

    static string Root(string folder) =>
        File.Exists(Path.Combine(folder, "LlmGateway.sln")) ? folder : Root(Path.GetDirectoryName(folder)!);
}
