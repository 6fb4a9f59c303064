using System.Text;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>When files say something else of a project than before.</summary>
public sealed class SeedHashesTests
{
    static readonly string Known = Of("a", """{"name":"app","mode":"live"}""");

    [Fact]
    public void What_is_said_again_is_the_same() => Assert.Equal(Known, Of("a", """{"name":"app","mode":"live"}"""));

    [Fact]
    public void Another_value_is_something_else() => Assert.NotEqual(Known, Of("a", """{"name":"app","mode":"test"}"""));

    /// <summary>That ends a customer's plan, and its absence does not.</summary>
    [Fact]
    public void A_null_is_something_else_than_nothing() => Assert.NotEqual(
        Of("a", """{"name":"app","customers":[{"externalId":"x","plan":null}]}"""),
        Of("a", """{"name":"app","customers":[{"externalId":"x"}]}"""));

    [Fact]
    public void A_start_that_was_told_by_hand_makes_all_of_it_new() => Assert.NotEqual(Known, Of("b", """{"name":"app","mode":"live"}"""));

    /// <summary>A later file may say otherwise than the one before.</summary>
    [Fact]
    public void Files_count_in_their_order_and_only_those_that_speak_of_the_project()
    {
        const string First = """{"name":"app","mode":"live"}""", Second = """{"name":"app","markupPercent":1}""";

        Assert.NotEqual(Of("a", First, Second), Of("a", Second, First));
        Assert.NotEqual(Known, Of("a", First, Second));
        Assert.Equal(Known, Of("a", First, """{"name":"other"}"""));
    }

    /// <summary>Of the project <c>app</c>, each in a file of its own.</summary>
    static string Of(string run, params string[] projects) => SeedHashes.Of(
        projects.Select(project => Encoding.UTF8.GetBytes($$"""{"organizations":[{"name":"Acme","projects":[{{project}}]}]}""")), run)[
        ("Acme", "app")];
}
