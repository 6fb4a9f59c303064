using System.Text.RegularExpressions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>Every statement in docs/money.md has its test, and its invariants are those that the ledger proves.</summary>
public sealed partial class MoneyDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/money.md"));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 60);

    [Fact]
    public void Every_numbered_rule_names_a_test()
    {
        var rules = Rule().Matches(Text);

        Assert.True(rules.Count >= 11, $"only {rules.Count} rules were found");
        Assert.Equal(Enumerable.Range(1, rules.Count), rules.Select(rule => int.Parse(rule.Groups["number"].Value)));
        Assert.All(rules, rule => Assert.True(NamedTests.MustExist(rule.Value) > 0, $"rule {rule.Groups["number"].Value} names no test"));
    }

    [Fact]
    public void It_tells_of_every_check_of_the_books()
    {
        var checks = Check().Matches(File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "services/Wallet/Verify/Checks.cs")))
            .Select(check => check.Groups["name"].Value)
            .ToArray();

        Assert.True(checks.Length >= 17, $"only {checks.Length} checks were found");
        Assert.All(checks, name => Assert.Contains($"“{name}”", Text));
    }

    /// <summary>A rule and all that belongs to it, up to the next one or the end of its chapter.</summary>
    [GeneratedRegex(@"^(?<number>\d+)\. \*\*.*?(?=^\d+\. \*\*|^## )", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Rule();

    [GeneratedRegex("""^ {8}\("(?<name>[^"]+)",\r?$""", RegexOptions.Multiline)]
    private static partial Regex Check();
}
