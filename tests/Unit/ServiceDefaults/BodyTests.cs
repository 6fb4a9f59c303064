using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>What callers are told of a body that is refused, whatever the serializer's own words are in this version of .NET.</summary>
public sealed class BodyTests
{
    sealed record Order(Item Item, IReadOnlyList<Item>? More = null, JsonElement? Note = null, Dictionary<string, int>? Counts = null);

    sealed record Item(Money Amount, string Name, int Count = 1);

    const string Good = """{"amount":"1","name":"x"}""";

    [Theory]
    [InlineData("{}", "item")]
    [InlineData("""{"item":{"amount":"1"}}""", "item.name")]
    [InlineData("{\n \"item\": {\n  \"name\": \"x\"\n }\n}", "item.amount")]
    [InlineData($$"""{"item":{{Good}},"more":[{{Good}},{"amount":"1","count":2}]}""", "more[1].name")]
    public void A_member_that_is_missing_is_named(string json, string param)
    {
        var problem = Refused(json);
        Assert.Equal(("missing_field", param, $"'{param}' is required."), (problem.Code, problem.Param, problem.Message));
    }

    [Theory]
    [InlineData("""{"item":{"amount":"1","amount":"2","name":"x"}}""", "item.amount")]
    [InlineData("""{"item":{"amount":"1","AMOUNT" : "2","name":"x"}}""", "item.AMOUNT")]
    [InlineData($$"""{"item":{{Good}},"item":{{Good}}}""", "item")]
    [InlineData($$"""{"item":{{Good}},"more":[{{Good}},{"amount":"1","name":"x","name":"x"}]}""", "more[1].name")]
    [InlineData($$$"""{"item":{{{Good}}},"counts":{"a":1,"a":2}}""", "counts.a")]
    [InlineData($$$"""{"item":{{{Good}}},"note":{"a":[{"b":1,"b":2}]}}""", "note")]
    public void A_member_that_is_there_twice_is_named(string json, string param)
    {
        var problem = Refused(json);
        Assert.Equal(
            ("malformed_json", param, $"The body has the member '{param}' twice in one object."),
            (problem.Code, problem.Param, problem.Message));
    }

    [Theory]
    [InlineData("""{"item":{"amount":"x","name":"x"}}""", "item.amount", "must be a decimal number.")]
    [InlineData("""{"item":{"amount":"1e400","name":"x"}}""", "item.amount", "is too large.")]
    [InlineData("""{"item":{"amount":"1","name":null}}""", "item.name", "has the wrong type or form.")]
    [InlineData("""{"item":{"amount":"1","name":7}}""", "item.name", "has the wrong type or form.")]
    [InlineData("""{"item":{"amount":"1","name":"x"},"more":{}}""", "more", "has the wrong type or form.")]
    [InlineData("""{"item":{"amount":"1","name":"x","count":1.5}}""", "item.count", "has the wrong type or form.")]
    public void A_value_that_is_refused_is_named(string json, string param, string says)
    {
        var problem = Refused(json);
        Assert.Equal(("invalid_value", param, $"'{param}' {says}"), (problem.Code, problem.Param, problem.Message));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("[]")]
    public void What_is_no_object_is_not_valid(string json) =>
        Assert.Equal(
            ("malformed_json", null, "The body is not valid JSON."),
            (Refused(json).Code, Refused(json).Param, Refused(json).Message));

    static Problem Refused(string json) => Assert.Throws<ProblemException>(() => Body.Parse<Order>(Encoding.UTF8.GetBytes(json))).Problem;
}
