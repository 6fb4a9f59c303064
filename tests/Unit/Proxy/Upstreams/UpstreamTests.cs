using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>What a provider sees of us: the configured address and the configured credential in its place.</summary>
public sealed class UpstreamTests
{
    [Theory]
    [InlineData("bearer", null, "k", "Authorization", "Bearer k")]
    [InlineData("header", "api-key", "k", "api-key", "k")]
    [InlineData("basic", null, "user:password", "Authorization", "Basic dXNlcjpwYXNzd29yZA==")]
    public void A_secret_stands_in_the_header_that_the_provider_reads(string type, string? name, string secret, string header, string value)
    {
        using var request = Of(type, name, secret).Post("/v1/chat/completions", "{}"u8.ToArray(), stream: false);

        Assert.Equal(value, Assert.Single(request.Headers.GetValues(header)));
        Assert.Equal("https://name.openai.azure.com/openai/v1/chat/completions", request.RequestUri!.AbsoluteUri);
    }

    [Theory]
    [InlineData("/v1/models", "https://name.openai.azure.com/openai/v1/models?key=a%26b")]
    [InlineData("/v1/models?limit=2", "https://name.openai.azure.com/openai/v1/models?limit=2&key=a%26b")]
    public void A_secret_in_the_query_is_escaped_and_stands_beside_what_is_there(string path, string expected)
    {
        using var request = Of("query", "key", "a&b").Request(HttpMethod.Get, path);

        Assert.Equal(expected, request.RequestUri!.AbsoluteUri);
        Assert.Empty(request.Headers);
    }

    [Fact]
    public void Without_authentication_nothing_is_sent()
    {
        using var request = Of("none", null).Request(HttpMethod.Get, "/v1/models");

        Assert.Empty(request.Headers);
        Assert.Equal("", request.RequestUri!.Query);
    }

    [Fact]
    public void A_path_that_leads_elsewhere_is_the_callers_mistake() =>
        Assert.Equal(
            400,
            Assert.Throws<ProblemException>(() => Of("bearer", null, "k").Request(HttpMethod.Get, "/v1/../admin")).Problem.Status);

    [Fact]
    public void With_several_keys_the_answer_finds_back_to_the_one_that_was_used()
    {
        using var several = Of("bearer", null, "a", "b").Request(HttpMethod.Get, "/v1/models");
        using var single = Of("bearer", null, "a").Request(HttpMethod.Get, "/v1/models");

        var used = Assert.NotNull(((UpstreamRequest)several).Key);
        Assert.Equal(used.Key.Header!.Value.Value, Assert.Single(several.Headers.GetValues("Authorization")));
        Assert.Null(((UpstreamRequest)single).Key);
    }

    static Upstream Of(string type, string? name, params string[] secrets) => new(
        new("azure", ProviderWire.OpenAi, "https://name.openai.azure.com/openai/v1", type, name,
            [.. secrets.Select(_ => new SealedKey("", 1))], 60, 0, "cancel", Sandbox: false), secrets);
}
