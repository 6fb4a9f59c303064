using System.Text.RegularExpressions;
using LlmGateway.Contracts.Expressions;
using LlmGateway.UnitTests.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>What <c>docs/expressions.md</c> says of the language is so.</summary>
public sealed partial class ExpressionsDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/expressions.md"));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 20);

    [Fact]
    public void Each_line_of_its_examples_is_true()
    {
        var lines = Example().Matches(Text).SelectMany(block => block.Groups["lines"].Value.TrimEnd().Split('\n')).ToArray();

        Assert.True(lines.Length > 15, $"only {lines.Length} lines were found");
        Assert.All(lines, line => Metered.Holds(line));
    }

    [Fact]
    public void It_names_every_variable_function_and_member_of_usage()
    {
        var words = Code().Matches(Text).SelectMany(code => Word().Matches(code.Value)).Select(word => word.Value).ToHashSet();

        Assert.All(Variables.Names, name => Assert.Contains(name, words));
        Assert.All(Functions.Names, name => Assert.Contains(name, words));
        Assert.All(Variables.UsageMembers, member => Assert.Contains(member.Name, words));
    }

    [Fact]
    public void It_names_every_reason_and_bound()
    {
        string[] reasons =
        [
            Failure.WrongKind, Failure.NotJson, Failure.TooLarge, Failure.NoNumber, Failure.NoElement, Failure.TooLong, Failure.TooMuch,
        ];
        int[] bounds =
        [
            MeteringExpression.MaxLength, MeteringExpression.MaxNodes, MeteringExpression.MaxDepth, MeteringExpression.MaxPredicates,
            MeteringExpression.MaxSteps, MeteringExpression.MaxText, MeteringExpression.MaxValueDepth, ResponseCollector.MaxWholeBytes,
            ResponseCollector.MaxEventBytes, Needs.MaxEvents - 1,
        ];
        Assert.All(reasons, reason => Assert.Contains($"`{reason}`", Text, StringComparison.Ordinal));
        Assert.All(bounds, bound => Assert.Matches($@"\b{bound}\b", Text));
    }

    [GeneratedRegex("```expr\n(?<lines>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();

    [GeneratedRegex("`[^`\n]+`")]
    private static partial Regex Code();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();
}
