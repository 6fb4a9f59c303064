using System.Text;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>The rules of <c>POST /v1/sessions</c>, from the bytes of the body on.</summary>
public sealed class MintSessionTests
{
    [Fact]
    public void A_customer_may_be_named_by_its_external_id_alone()
    {
        var terms = Read("""{"customer": "user-1"}""");

        Assert.Equal(("user-1", 900, null, null), (terms.ExternalId, terms.TtlSeconds, terms.Models, terms.Cap));
    }

    [Fact]
    public void No_models_and_no_list_of_models_are_different_scopes()
    {
        Assert.Empty(Read("""{"customer": "u", "scope": {"models": []}}""").Models!);
        Assert.Null(Read("""{"customer": "u", "scope": {}}""").Models);
    }

    [Theory]
    [InlineData("0.000000001", 1)]
    [InlineData("\"2.5\"", 2_500_000_000)]
    [InlineData("9007199254.740993", 9_007_199_254_740_993_000)]
    public void A_spend_cap_keeps_every_digit(string json, long nanos) =>
        Assert.Equal(new Money(nanos), Read($$$"""{"customer": "u", "scope": {"maxSpend": {{{json}}}}}""").Cap);

    [Theory]
    [InlineData("""{}""", "customer")]
    [InlineData("""{"customer": null}""", "customer")]
    [InlineData("""{"customer": ""}""", "customer")]
    [InlineData("""{"customer": 5}""", "customer")]
    [InlineData("""{"customer": "a\u0000"}""", "customer")]
    [InlineData("""{"customer": "\ud800"}""", "customer")]
    [InlineData("""{"customer": {}}""", "customer.externalId")]
    [InlineData("""{"customer": {"externalId": "u", "email": "nobody"}}""", "customer.email")]
    [InlineData("""{"customer": {"externalId": "u", "name": 5}}""", "customer.name")]
    [InlineData("""{"customer": {"externalId": "u", "nmae": "Ada"}}""", "customer.nmae")]
    [InlineData("""{"customer": "u", "ttl": 60}""", "ttl")]
    [InlineData("""{"customer": "u", "scopes": {}}""", "scopes")]
    [InlineData("""{"customer": "u", "scope": {"maxSpent": 1}}""", "scope.maxSpent")]
    [InlineData("""{"customer": "u", "ttlSeconds": 59}""", "ttlSeconds")]
    [InlineData("""{"customer": "u", "ttlSeconds": 3601}""", "ttlSeconds")]
    [InlineData("""{"customer": "u", "ttlSeconds": "900"}""", "ttlSeconds")]
    [InlineData("""{"customer": "u", "scope": {"maxSpend": 0}}""", "scope.maxSpend")]
    [InlineData("""{"customer": "u", "scope": {"maxSpend": -1}}""", "scope.maxSpend")]
    [InlineData("""{"customer": "u", "scope": {"maxSpend": 1e400}}""", "scope.maxSpend")]
    [InlineData("""{"customer": "u", "scope": {"maxSpend": "1.0000000001"}}""", "scope.maxSpend")]
    [InlineData("""{"customer": "u", "scope": {"models": [""]}}""", "scope.models[0]")]
    [InlineData("""{"customer": "u", "scope": {"models": [null]}}""", "scope.models[0]")]
    public void What_is_wrong_is_answered_with_400_and_its_name(string json, string param)
    {
        var problem = Assert.Throws<ProblemException>(() => Read(json)).Problem;

        Assert.Equal((400, param), (problem.Status, problem.Param));
    }

    static MintSession.Terms Read(string json) => MintSession.Read(Body.Parse<MintSession.Request>(Encoding.UTF8.GetBytes(json)));
}
