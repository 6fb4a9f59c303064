using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>Which origins a project may allow: what browsers send, and nothing that would never match.</summary>
public sealed class OriginRulesTests
{
    const string Extension = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";

    [Theory]
    [InlineData("https://app.example.com")]
    [InlineData("https://app.example.com:8443")]
    [InlineData("http://localhost:3000")]
    [InlineData("http://127.0.0.1:8080")]
    [InlineData("http://[::1]:8080")]
    [InlineData("https://xn--mnchen-3ya.example")]
    [InlineData("https://a_b.example.com")]
    [InlineData("http://example.com:443")]
    [InlineData("https://example.com:80")]
    [InlineData("https://example.com:4430")]
    [InlineData("capacitor://localhost")]
    [InlineData("ionic://localhost")]
    [InlineData("tauri://localhost")]
    [InlineData("https://tauri.localhost")]
    [InlineData(Extension)]
    public void What_a_browser_sends_may_be_allowed(string origin) => Assert.Null(SeedRules.OriginMistake(origin));

    [Theory]
    [InlineData("", "exact origin")]
    [InlineData("*", "exact origin")]
    [InlineData("null", "exact origin")]
    [InlineData("app.example.com", "exact origin")]
    [InlineData("https://", "exact origin")]
    [InlineData("https://*.example.com", "exact origin")]
    [InlineData("https://app.example.com/", "exact origin")]
    [InlineData("https://app.example.com/app", "exact origin")]
    [InlineData("https://app.example.com?x", "exact origin")]
    [InlineData("https://App.example.com", "exact origin")]
    [InlineData("HTTPS://app.example.com", "exact origin")]
    [InlineData("https://user@app.example.com", "exact origin")]
    [InlineData("https://app.example.com ", "exact origin")]
    [InlineData("https://app.example.com\n", "exact origin")]
    [InlineData("https://a.example.com,https://b.example.com", "exact origin")]
    [InlineData("https://münchen.example", "exact origin")]
    [InlineData("file://", "exact origin")]
    [InlineData("file:///app/index.html", "exact origin")]
    [InlineData("data:text/html,x", "exact origin")]
    [InlineData("chrome-extension://*", "exact origin")]
    [InlineData("chrome-extension://", "exact origin")]
    [InlineData("chrome-extension://abc", "32 letters")]
    [InlineData("chrome-extension://abcdefghijklmnopabcdefghijklmnoq", "32 letters")]
    [InlineData("chrome-extension://abcdefghijklmnopabcdefghijklmno1", "32 letters")]
    [InlineData(Extension + "a", "32 letters")]
    [InlineData(Extension + ":443", "32 letters")]
    [InlineData("moz-extension://0b7f3a52-1c9d-4b3e-9a77-2f6d1c8e5a10", "Firefox")]
    [InlineData("https://app.example.com:443", "usual port")]
    [InlineData("http://app.example.com:80", "usual port")]
    public void What_would_never_match_is_refused_when_it_is_saved(string origin, string reason) =>
        Assert.Contains(reason, SeedRules.OriginMistake(origin), StringComparison.Ordinal);
}
