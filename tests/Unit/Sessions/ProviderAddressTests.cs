using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests;

public sealed class ProviderAddressTests
{
    [Theory]
    [InlineData("openai", "https://api.example.com/v1", "https://api.example.com/v1")]
    [InlineData("openai", "https://api.example.com/v1/", "https://api.example.com/v1")]
    [InlineData("openai", "https://api.example.com/v1/v1/", "https://api.example.com/v1")]
    [InlineData("openai", "https://name.openai.azure.com/openai/v1", "https://name.openai.azure.com/openai/v1")]
    [InlineData("openai-compatible", "http://10.0.0.5:8080", "http://10.0.0.5:8080")]
    [InlineData("anthropic", "https://api.anthropic.com/", "https://api.anthropic.com")]
    [InlineData("anthropic", "https://api.anthropic.com/v1/v1", "https://api.anthropic.com")]
    [InlineData("gemini", "https://generativelanguage.googleapis.com/v1beta/", "https://generativelanguage.googleapis.com")]
    [InlineData("gemini", "https://generativelanguage.googleapis.com/v1beta/v1beta", "https://generativelanguage.googleapis.com")]
    public void Slashes_at_the_end_and_a_doubled_version_are_tolerated(string wire, string text, string stored)
    {
        Assert.True(BaseUrls.TryRead(wire, text, out var baseUrl));
        Assert.Equal(stored, baseUrl);
    }

    [Theory]
    [InlineData("")]
    [InlineData("api.example.com")]
    [InlineData("ftp://api.example.com")]
    [InlineData("https://user:secret@api.example.com")]
    [InlineData("https://api.example.com/v1?key=1")]
    [InlineData("https://api.example.com/v1#x")]
    [InlineData("https://api.example.com\\v1")]
    public void What_is_no_plain_http_address_is_refused(string text) => Assert.False(BaseUrls.TryRead("openai", text, out _));

    [Theory]
    [InlineData("http://127.0.0.1:4020/v1", "http://127.0.0.1:4020", true)]
    [InlineData("http://127.0.0.1:4020", "http://127.0.0.1:4020/", true)]
    [InlineData("http://127.0.0.1:40200/v1", "http://127.0.0.1:4020", false)]
    [InlineData("https://api.example.com/v1", "http://127.0.0.1:4020", false)]
    [InlineData("https://api.example.com/v1", null, false)]
    [InlineData("https://api.example.com/v1", "", false)]
    public void Only_what_lies_under_the_sandbox_is_the_sandbox(string baseUrl, string? sandbox, bool expected) =>
        Assert.Equal(expected, ReadProject.IsSandbox(baseUrl, sandbox));
}
