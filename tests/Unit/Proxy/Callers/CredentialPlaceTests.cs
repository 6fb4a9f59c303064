using LlmGateway.Proxy;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class CredentialPlaceTests
{
    [Theory]
    [InlineData("/v1beta/models/m:generateContent")]
    [InlineData("/v1beta/models")]
    [InlineData("/v1/models/m:streamGenerateContent")]
    [InlineData("/v1/models")]
    public void A_key_in_the_query_is_read_where_Googles_clients_put_it_and_stays_there_for_nobody(string path)
    {
        var request = Request(path, "?alt=sse&key=llm_gw_1");

        Assert.Equal("llm_gw_1", Find(request));
        Assert.Equal(("?alt=sse", ""), (request.QueryString.Value, request.Query["key"].ToString()));
    }

    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/wallets/1")]
    [InlineData("/v1/messages")]
    public void Elsewhere_it_is_none(string path) => Assert.Null(Find(Request(path, "?key=llm_gw_1")));

    [Fact]
    public void A_header_comes_first()
    {
        var request = Request("/v1beta/models", "?key=llm_gw_1");
        request.Headers["x-goog-api-key"] = "llm_gw_2";
        Assert.Equal("llm_gw_2", Find(request));
    }

    [Theory]
    [InlineData("Authorization", "Bearer llm_gw_2", CredentialPlace.Header)]
    [InlineData("X-API-Key", "llm_gw_2", CredentialPlace.Header)]
    [InlineData("x-goog-api-key", "llm_gw_2", CredentialPlace.Header)]
    [InlineData("x-other", "llm_gw_2", CredentialPlace.Query)]
    public void Only_a_key_from_the_query_is_marked_as_one(string header, string value, CredentialPlace expected)
    {
        var request = Request("/v1beta/models", "?key=llm_gw_1");
        request.Headers[header] = value;
        Assert.True(Permit.TryFindCredential(request, out _, out _, out var place));
        Assert.Equal(expected, place);
    }

    [Theory]
    [InlineData("Bearer left over", "llm_gw_2", "X-API-Key")]
    [InlineData("Bearer llm_gw_2", "llm_gw_2", null)]
    [InlineData("", "llm_gw_2", null)]
    public void A_second_credential_that_differs_is_found_for_the_refusals_words(string authorization, string key, string? header)
    {
        var request = Request("/v1/messages", "");
        (request.Headers.Authorization, request.Headers["X-API-Key"]) = (authorization, key);
        Assert.Equal(header, Permit.OtherCredential(request));
    }

    static string? Find(HttpRequest request) =>
        Permit.TryFindCredential(request, out var credential, out _, out _) ? credential.ToString() : null;

    static HttpRequest Request(string path, string query) =>
        new DefaultHttpContext { Request = { Path = path, QueryString = new(query) } }.Request;
}
