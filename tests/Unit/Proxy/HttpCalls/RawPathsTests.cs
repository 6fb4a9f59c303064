using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Where providers take raw calls. What an account keeps of one customer must not be open to another.</summary>
public sealed class RawPathsTests
{
    [Theory]
    [InlineData("openai", "POST", "/v1/chat/completions", true)]
    [InlineData("openai", "POST", "/v1/audio/transcriptions", true)]
    [InlineData("openai", "GET", "/v1/chat/completions", false)] // a list of what is stored
    [InlineData("openai", "POST", "/v1/chat/completions/chatcmpl-1", false)]
    [InlineData("openai", "POST", "/v1/responses", false)]
    [InlineData("openai", "GET", "/v1/files", false)]
    [InlineData("openai", "DELETE", "/v1/models/ft:one", false)]
    [InlineData("openai-compatible", "POST", "/v1/embeddings", true)]
    [InlineData("anthropic", "POST", "/v1/messages", true)]
    [InlineData("anthropic", "POST", "/v1/messages/batches", false)]
    [InlineData("anthropic", "POST", "/v1/files", false)]
    [InlineData("gemini", "POST", "/v1beta/models/gemini-3:streamGenerateContent", true)]
    [InlineData("gemini", "POST", "/v1beta/cachedContents", false)]
    [InlineData("gemini", "POST", "/v1beta/files:generateContent", false)]
    [InlineData("http", "DELETE", "/any/thing", true)]
    [InlineData("http", "GET", "", true)]
    public void A_provider_of_models_answers_where_nothing_is_kept_and_any_other_everywhere(
        string wire, string method, string path, bool isOpen) => Assert.Equal(isOpen, RawPaths.Allow(Provider(wire, null), method, path));

    [Theory]
    [InlineData("/v1/a", true)]
    [InlineData("/v1/a/b", true)]
    [InlineData("/v1/ab", false)]
    [InlineData("/v1", false)]
    [InlineData("/other/", true)]
    public void What_is_named_is_open_and_nothing_else(string path, bool isOpen)
    {
        Assert.Equal(isOpen, RawPaths.Allow(Provider("openai", ["/v1/a", "/other/"]), "DELETE", path));
        Assert.True(RawPaths.Allow(Provider("openai", ["/"]), "GET", path));
        Assert.False(RawPaths.Allow(Provider("http", []), "GET", path));
    }

    /// <summary>The provider may have become the operator's, or have lost its type, after the route was saved.</summary>
    [Theory]
    [InlineData("POST", "/v1/embeddings", true)]
    [InlineData("GET", "/v1/files", false)]
    [InlineData("OPTIONS", "/v1/embeddings", false)]
    public void A_route_of_a_call_leads_at_the_operators_provider_no_further_than_raw_calls(string method, string path, bool isOpen)
    {
        var (route, provider) = (new CustomRoute(path, "p") { Tenant = true }, Provider("openai", null) with { QueryType = "standard" });
        Assert.Equal(isOpen, MayLeadTo(route, provider));
        Assert.False(MayLeadTo(route, provider with { QueryType = null }));
        Assert.False(MayLeadTo(route with { Public = true }, provider));
        Assert.False(MayLeadTo(route with { Request = new() }, provider));
        Assert.True(MayLeadTo(route, provider with { QueryType = null, Tenant = true }));
        Assert.True(MayLeadTo(route with { Tenant = false }, provider with { QueryType = null }));

        bool MayLeadTo(CustomRoute asked, ProviderConnection at)
        {
            Assert.True(RoutePattern.TryRead(asked.Match, asked.Path, out var pattern, out _));
            return new ReadyRoute(asked, pattern, new(at, [])).MayLeadTo(method, path);
        }
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("?", "")]
    [InlineData("?a=1&b=%20x&c", "?a=1&b=%20x&c")]
    [InlineData("?out=1&a=1", "?a=1")]
    [InlineData("?a=1&%6fut=1", "?a=1")]
    [InlineData("?a=the+secret&b=the%20secret&c=no", "?c=no")]
    [InlineData("?out&a=%FF", "?a=%FF")]
    public void What_is_left_of_a_query_is_as_it_was_sent(string query, string kept) =>
        Assert.Equal(kept, HttpTarget.Without(query, (name, value) => name == "out" || value == "the secret"));

    static ProviderConnection Provider(string wire, string[]? raw) =>
        new("p", wire, "https://api.example.com/v1", "none", null, [], 60, 0, "cancel", false) { RawPaths = raw };
}
