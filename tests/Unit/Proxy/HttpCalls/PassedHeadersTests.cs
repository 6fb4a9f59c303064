using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Which headers pass, both ways.</summary>
public sealed class PassedHeadersTests
{
    [Theory]
    [InlineData(""), InlineData("llm_gw_secret")]
    public void What_describes_a_body_passes_with_and_without_a_credential(string credential)
    {
        var sent = Sent(credential, [], ("Content-Type", "application/json"), ("Accept", "text/csv"), ("Range", "bytes=0-9"));
        Assert.Equal(["Accept: text/csv", "Content-Type: application/json", "Range: bytes=0-9"], sent);
    }

    [Fact]
    public void What_repeats_the_credential_or_is_left_out_by_name_stays_here() => Assert.Equal(
        ["X-Mine: 1"],
        Sent("llm_gw_secret", ["X-Secret", "X-Set"], ("X-Mine", "1"), ("X-Other", "my llm_gw_secret"), ("x-secret", "a"), ("X-Set", "b")));

    /// <summary>Servers that hand on headers as variables (CGI, WSGI, PHP) take both spellings for one.</summary>
    [Theory]
    [InlineData("X_User_ID"), InlineData("X-Plan_ID"), InlineData("x_key_id"), InlineData("X_Forwarded_For"), InlineData("X_SDK_Version")]
    [InlineData("Content_Length"), InlineData("X_Secret"), InlineData("X_API_Key")]
    public void A_name_with_underscores_is_the_same_name(string name) =>
        Assert.Equal(["X_Mine: 1"], Sent("", ["X-Secret"], (name, "spoofed"), ("X_Mine", "1")));

    [Fact]
    public void A_caller_is_told_nothing_that_a_server_or_a_browser_before_it_would_obey()
    {
        string[] names =
        [
            "Set-Cookie", "Location", "Clear-Site-Data", "X-Accel-Redirect", "X-Accel-Expires", "x-sendfile", "X-Lighttpd-Send-File",
            "Access-Control-Allow-Origin", "X-RateLimit-Limit", "X-LLMGateway-Cost",
        ];
        var stored = new MessageChanges { SetHeaders = names.ToDictionary(name => name, _ => "by the route") };
        Assert.Equal(["X-Mine: 1"], Told(stored, [.. names.Select(name => (name, "a")), ("X-Mine", "1")]));
    }

    /// <summary>The server would break off the answer.</summary>
    [Fact]
    public void What_cannot_be_sent_is_left_out_and_the_rest_passes() => Assert.Equal(
        ["X-Both: good", "X-Mine: 1"],
        Told(
            new() { SetHeaders = new Dictionary<string, string> { ["X-Stored"] = "\u00e9" } },
            [("Content-Disposition", "attachment; filename=\u00e9.txt"), ("X-Both", "good"), ("X-Both", "\u00e9"), ("X-Mine", "1")]));

    [Fact]
    public void A_route_takes_away_and_sets() => Assert.Equal(
        ["X-Mine: 1", "X-Set: by the route"],
        Told(
            new() { DeleteHeaders = ["x-drop"], SetHeaders = new Dictionary<string, string> { ["X-Set"] = "by the route" } },
            [("X-Drop", "a"), ("X-Set", "b"), ("X-Mine", "1")]));

    /// <summary>A cache that all share may keep the answer, and must know what it depends on.</summary>
    [Fact]
    public void What_an_answer_depends_on_is_said_beside_what_the_gateway_says_of_its_own() => Assert.Equal(
        ["Cache-Control: public", "Vary: Origin,X-Version"],
        Told(null, [("Cache-Control", "public"), ("Vary", "X-Version")], http => http.Response.Headers.Vary = "Origin"));

    [Fact]
    public void A_kept_answer_says_it_too()
    {
        var (first, again) = (new DefaultHttpContext(), new DefaultHttpContext());
        first.Response.Headers.Vary = "X-Version";
        again.Response.Headers.Vary = "Origin";
        KeptAnswer.Unpack(KeptAnswer.Pack(first.Response, "x"u8), again.Response);
        Assert.Equal("Origin,X-Version", again.Response.Headers.Vary.ToString());
    }

    static List<string> Sent(string credential, string[] besides, params (string Name, string Value)[] headers)
    {
        var http = new DefaultHttpContext();
        foreach (var (name, value) in headers)
            http.Request.Headers.Append(name, value);
        using var request = new HttpRequestMessage { Content = new ByteArrayContent([]) };
        PassedHeaders.Send(http.Request, request, credential, besides);
        return Lines(request.Headers.Concat(request.Content.Headers));
    }

    static List<string> Told(MessageChanges? changes, (string Name, string Value)[] headers, Action<HttpContext>? before = null)
    {
        var http = new DefaultHttpContext();
        before?.Invoke(http);
        using var answer = new HttpResponseMessage { Content = new ByteArrayContent([]) };
        foreach (var (name, value) in headers)
            if (!answer.Headers.TryAddWithoutValidation(name, value))
                answer.Content.Headers.TryAddWithoutValidation(name, value);
        PassedHeaders.Answer(answer, http.Response, UpstreamSecrets.None, isInflated: false, changes);
        return Lines(http.Response.Headers.Select(
            header => KeyValuePair.Create(header.Key, (IEnumerable<string>)[header.Value.ToString()])));
    }

    static List<string> Lines(IEnumerable<KeyValuePair<string, IEnumerable<string>>> headers) =>
    [
        .. headers.Where(header => header.Key != "Content-Length").Select(header => $"{header.Key}: {string.Join(',', header.Value)}")
            .Order(),
    ];
}
