using System.Globalization;
using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;

namespace LlmGateway.EndToEnd;

/// <summary>Attacks on HTTP itself: where a request ends, how much it unpacks to, how slowly it comes.</summary>
public sealed partial class ConnectionAttackTests
{
    static readonly string Body = Chat.Body("small", Price.Question);

    static readonly string Chunked = $"{Body.Length:x}\r\n{Body}\r\n0\r\n\r\n";

    /// <summary>How the length of a body can be said so that two servers disagree.</summary>
    public static TheoryData<string, string> Ambiguous() => new()
    {
        { $"Transfer-Encoding: chunked\r\nContent-Length: {Chunked.Length}\r\n\r\n", Chunked },
        { "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", Chunked },
        { $"Content-Length: {Body.Length}\r\nContent-Length: {Body.Length + 1}\r\n\r\n", Body },
        { $"Content-Length: {Body.Length}\r\nContent-Length: {Body.Length}\r\n\r\n", Body },
        { $"Content-Length: {Body.Length}, {Body.Length}\r\n\r\n", Body },
        { $"Content-Length: -1\r\n\r\n", Body },
        { $"Content-Length: 0x{Body.Length:x}\r\n\r\n", Body },
        { "Transfer-Encoding: chunked, identity\r\n\r\n", Chunked },
        { "Transfer-Encoding: xchunked\r\n\r\n", Chunked },
        { "Transfer-Encoding : chunked\r\n\r\n", Chunked },
        { "Transfer-Encoding:\r\n chunked\r\n\r\n", Chunked },
        { $"X-Folded: a\r\n Content-Length: 4\r\nContent-Length: {Body.Length}\r\n\r\n", Body },
        { $"X-Zero: \0\r\nContent-Length: {Body.Length}\r\n\r\n", Body },
        { $"X-Line: a\nContent-Length: {Body.Length}\r\n\r\n", Body },
        { $"Host: elsewhere.example\r\nContent-Length: {Body.Length}\r\n\r\n", Body },
        // CVE-2025-55315: a line feed alone in an extension of a chunk.
        { "Transfer-Encoding: chunked\r\n\r\n", Chunked.Replace("\r\n{", ";a\n\r\n{", StringComparison.Ordinal) },
        { "Transfer-Encoding: chunked\r\n\r\n", Chunked.Replace("\r\n{", ";a\rb\r\n{", StringComparison.Ordinal) },
        { "Transfer-Encoding: chunked\r\n\r\n", Chunked.Replace("\r\n{", "\n{", StringComparison.Ordinal) },
        { "Transfer-Encoding: chunked\r\n\r\n", Chunked.Replace("}\r\n0", "}0", StringComparison.Ordinal) },
        { "Transfer-Encoding: chunked\r\n\r\n", $"-1\r\n{Body}\r\n0\r\n\r\n" },
        { "Transfer-Encoding: chunked\r\n\r\n", $"FFFFFFFFFFFFFFFFF\r\n{Body}\r\n0\r\n\r\n" },
    };

    [Theory, MemberData(nameof(Ambiguous))]
    public async Task Behind_a_body_whose_end_is_unclear_no_second_request_is_answered(string head, string body)
    {
        var user = await Backend.App.NewUserAsync();
        Assert.Equal(["200", "401"], await StatusesAsync(user, $"Content-Length: {Body.Length}\r\n\r\n", Body));
        Assert.Single(await StatusesAsync(user, head, body));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    [InlineData("identity, gzip")]
    public async Task Nothing_that_a_caller_sends_is_unpacked(string encoding)
    {
        var user = await Backend.App.NewUserAsync();
        using var packed = new MemoryStream();
        using (Stream packer = encoding switch
        {
            "br" => new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            "deflate" => new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            _ => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
        })
            packer.Write(Encoding.UTF8.GetBytes(Chat.Body("small", new string(' ', 100_000))));
        var request = Gateway.Request("POST", Chat.Path, user.Token);
        request.Content = new ByteArrayContent(packed.ToArray())
        {
            Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
        };
        request.Content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);

        (await Gateway.SendAsync(request)).MustBe(400);
    }

    [Fact]
    public async Task Who_sends_no_whole_head_is_let_go()
    {
        var text = await RawHttp.SendAsync($"POST {Chat.Path} HTTP/1.1\r\nHost: {Stack.Proxy.Authority}\r\nX-Slow: ");
        Assert.StartsWith("HTTP/1.1 408 ", text);
    }

    /// <summary>The statuses of all answers on one connection: to the request, and to one behind it that has no credential.</summary>
    static async Task<string[]> StatusesAsync(User user, string head, string body)
    {
        var host = Stack.Proxy.Authority;
        var text = await RawHttp.SendAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"POST {Chat.Path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {user.Token}\r\nContent-Type: application/json\r\n"
                    + $"{head}{body}")
                + $"GET /v1/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        return [.. Status().Matches(text).Select(match => match.Groups[1].Value)];
    }

    [GeneratedRegex("HTTP/1\\.1 ([0-9]{3}) ")]
    private static partial Regex Status();
}
