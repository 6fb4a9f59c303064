using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>Where a call to a provider goes: what operators paste as base URL is understood, and no path leads anywhere else.</summary>
public sealed class UpstreamPathTests
{
    [Theory]
    [InlineData("openai", "https://api.openai.com/v1", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions")]
    [InlineData("openai", "https://api.openai.com/v1/", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions")]
    [InlineData("openai", "https://api.openai.com", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions")]
    [InlineData("openai", "https://name.openai.azure.com/openai/v1", "/v1/responses", "https://name.openai.azure.com/openai/v1/responses")]
    [InlineData("openai-compatible", "https://api.groq.com/openai/v1", "/v1/chat/completions",
        "https://api.groq.com/openai/v1/chat/completions")]
    [InlineData("openai-compatible", "https://generativelanguage.googleapis.com/v1beta/openai", "/v1/chat/completions",
        "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions")]
    [InlineData("responses", "http://10.0.0.5:8080", "/v1/responses", "http://10.0.0.5:8080/v1/responses")]
    [InlineData("anthropic", "https://api.anthropic.com", "/v1/messages", "https://api.anthropic.com/v1/messages")]
    [InlineData("anthropic", "https://api.anthropic.com/v1/", "/v1/messages", "https://api.anthropic.com/v1/messages")]
    [InlineData("gemini", "https://generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse")]
    [InlineData("gemini", "https://generativelanguage.googleapis.com/v1beta", "/v1beta/models",
        "https://generativelanguage.googleapis.com/v1beta/models")]
    [InlineData("gemini", "https://generativelanguage.googleapis.com/v1", "/v1beta/models",
        "https://generativelanguage.googleapis.com/v1beta/models")]
    public void A_base_url_is_what_the_vendors_own_client_takes(string wire, string baseUrl, string path, string expected)
    {
        var (root, cut) = UpstreamPath.RootOf(wire, baseUrl);

        Assert.True(UpstreamPath.TryJoin(root, path[cut.Length..], out var address));
        Assert.Equal(expected, address.AbsoluteUri);
    }

    [Theory]
    [InlineData("/v1/files/file-1/content")]
    [InlineData("/v1/files?limit=5&after=file%201")]
    [InlineData("/v1/models/ft:gpt-4o:acme::a1")]
    [InlineData("/v1/models/a%20b")]
    [InlineData("/v1/models/..a")]
    [InlineData("/v1/models/a;v=1")]
    [InlineData("/v1/models/a;..")]
    public void An_ordinary_path_stays_as_it_is(string path)
    {
        Assert.True(UpstreamPath.TryJoin("https://api.example.com/base", path, out var address));
        Assert.Equal($"https://api.example.com/base{path}", address.AbsoluteUri);
    }

    [Theory]
    [InlineData("")]
    [InlineData("v1/chat/completions")]
    [InlineData("/v1/../admin")]
    [InlineData("/v1/./admin")]
    [InlineData("/..")]
    [InlineData("/v1/%2e%2e/admin")]
    [InlineData("/v1/%2E%2e/admin")]
    [InlineData("/v1/.%2e/admin")]
    [InlineData("/v1/%252e%252e/admin")]
    [InlineData("/v1/..;/admin")]
    [InlineData("/v1/%2e%2e;/admin")]
    [InlineData("/v1/..%3b/admin")]
    [InlineData("/v1/..;x=1/admin")]
    [InlineData("/v1/.;/admin")]
    [InlineData("/v1/;x/admin")]
    [InlineData("/v1/models/openai%2f..%2fx")]
    [InlineData("/v1/models/a%2Fb")]
    [InlineData("/v1/models/a%5cb")]
    [InlineData("/v1/models/a%252fb")]
    [InlineData("/v1/models/a\\b")]
    [InlineData("\\\\evil.example")]
    [InlineData("//evil.example/v1")]
    [InlineData("/v1//models")]
    [InlineData("/v1/models/")]
    [InlineData("https://evil.example/v1")]
    [InlineData("@evil.example/v1")]
    [InlineData(":443@evil.example/v1")]
    [InlineData(".evil.example/v1")]
    [InlineData("/v1/models/a%00b")]
    [InlineData("/v1/models/a%0d%0aHost:%20x")]
    [InlineData("/v1/models/a\r\nHost: x")]
    [InlineData("/v1/models/a\tb")]
    [InlineData("/v1/models/a b")]
    [InlineData("/v1/models/a%")]
    [InlineData("/v1/models/a%zz")]
    [InlineData("/v1/models/a%ff")]
    [InlineData("/v1/models/a%3fkey=1")]
    [InlineData("/v1/models/a#b")]
    [InlineData("/v1/models/a%23b")]
    [InlineData("/v1/models/\u2025/x")]
    [InlineData("/v1/models/\uff0e\uff0e/x")]
    [InlineData("/v1/models?a=b#c")]
    [InlineData("/v1/models?a=\r\nHost: x")]
    [InlineData("/v1/models?a=\\b")]
    public void A_path_that_could_mean_another_place_is_refused(string path)
    {
        Assert.False(UpstreamPath.TryJoin("https://api.example.com/base", path, out _));
        Assert.False(UpstreamPath.TryJoin("https://api.example.com", path, out _));
    }

    [Fact]
    public void Whatever_is_accepted_lies_under_the_base_on_the_same_host() => Seeds.ForEach(2000, random =>
    {
        string[] pieces =
        [
            "/",
            "//",
            "..",
            ".",
            "%2e",
            "%2f",
            "%5c",
            "\\",
            "a",
            "v1",
            "@",
            ":",
            "?",
            "#",
            "%",
            "evil.example",
            "%00",
            "\n",
            "http:",
            ";",
            "\u2024",
        ];
        var path = string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => pieces[random.Next(pieces.Length)]));

        if (UpstreamPath.TryJoin("https://api.example.com/base", path, out var address))
            Assert.StartsWith("https://api.example.com/base/", address.AbsoluteUri, StringComparison.Ordinal);
        if (UpstreamPath.TryJoin("https://api.example.com/base", path, out address, isOfApi: true))
            Assert.Matches("^https://api.example.com/base(/|\\?|$)", address.AbsoluteUri);
    });
}
