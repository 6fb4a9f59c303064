using System.Text;
using System.Text.RegularExpressions;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>Every point of a list in <c>docs/limits.md</c> has its test, and what it shows can be copied.</summary>
public sealed partial class LimitsDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/limits.md"));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 20);

    [Fact]
    public void Every_point_of_a_list_names_a_test()
    {
        var points = Point().Matches(Text);

        Assert.True(points.Count >= 50, $"only {points.Count} points were found");
        Assert.All(points, point => Assert.True(NamedTests.MustExist(point.Value) > 0, $"without a test: {point.Value}"));
    }

    [Fact]
    public void Its_example_is_a_list_of_limits()
    {
        var example = Encoding.UTF8.GetBytes(Example().Match(Text).Groups["json"].Value);

        PutLimits.MustBeRight(Body.Parse<IReadOnlyList<LimitRequest>>(example));
    }

    [GeneratedRegex(@"^- (.+\n)+?(?=- |\n)", RegexOptions.Multiline)]
    private static partial Regex Point();

    [GeneratedRegex("```json\n(?<json>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();
}
