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
    [InlineData("", "is not valid JSON")]
    [InlineData("not json", "is not valid JSON")]
    [InlineData("[]", "must be a JSON object")]
    [InlineData("\"x\"", "must be a JSON object")]
    public void What_is_no_object_is_refused_and_says_what_it_must_be(string json, string says) =>
        Assert.Equal(("malformed_json", null, $"The body {says}."), (Refused(json).Code, Refused(json).Param, Refused(json).Message));

    [Theory]
    [InlineData("{}")]
    [InlineData($$"""{"items":[{{Good}}]}""")]
    [InlineData("7")]
    public void What_is_no_list_is_refused_and_says_that_it_must_be_one(string json) => Assert.Equal(
        "The body must be a JSON array.", Refused<IReadOnlyList<Item>>(json).Message);

    [Theory]
    [InlineData($$$"""{"item":{{{Good}}},"itme":1}""", "itme")]
    [InlineData("""{"item":{"amount":"1","name":"x","cuont":2}}""", "item.cuont")]
    [InlineData($$$"""{"item":{{{Good}}},"more":[{"nmae":"x"}]}""", "more[0].nmae")]
    public void A_member_that_is_not_known_is_named_and_only_services_may_send_one(string json, string param)
    {
        var problem = Refused(json);
        Assert.Equal(
            ("invalid_value", param, $"'{param}' is not a member that this call has."), (problem.Code, problem.Param, problem.Message));

        var later = Encoding.UTF8.GetBytes("""{"item":{"amount":"1","name":"x","cuont":2},"itme":1}""");
        Assert.Equal("x", Body.Parse<Order>(later, isInternal: true).Item.Name);
    }

    static Problem Refused(string json) => Refused<Order>(json);

    static Problem Refused<T>(string json) => Assert.Throws<ProblemException>(() => Body.Parse<T>(Encoding.UTF8.GetBytes(json))).Problem;
}
