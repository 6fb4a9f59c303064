using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What no caller may read is hidden in the headers of an answer, too, whatever else stands in them.</summary>
public sealed class HiddenHeadersTests
{
    [Theory]
    [InlineData("key sk-secret-of-ours", "key ***")]
    [InlineData("served by 10.1.2.3", "served by ***")]
    [InlineData("api.internal.example.com", "***")]
    [InlineData("<https://api.internal.example.com/x?key=sk-secret-of-ours>; rel=\"next\"", "<***/x?key=***>; rel=\"next\"")]
    [InlineData("\"a1b2\", 42; words of its own", "\"a1b2\", 42; words of its own")]
    public void Our_key_and_the_providers_address_are_in_no_header_of_an_answer(string sent, string told)
    {
        var provider = new ProviderConnection(
            "p", ProviderWire.Http, "https://api.internal.example.com", "bearer", null, [], 60, 0, "cancel", false);
        using var answer = new HttpResponseMessage();
        answer.Headers.TryAddWithoutValidation("X-Said", sent);
        var http = new DefaultHttpContext();

        PassedHeaders.Answer(answer, http.Response, new UpstreamSecrets(provider, ["sk-secret-of-ours"]), isInflated: false);

        Assert.Equal(told, http.Response.Headers["X-Said"].ToString());
    }
}
