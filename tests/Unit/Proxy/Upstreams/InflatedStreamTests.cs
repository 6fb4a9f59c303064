using System.IO.Compression;
using System.Net;
using System.Text;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>agentgateway/agentgateway #621: an upstream that compresses though nobody asked.</summary>
public sealed class InflatedStreamTests
{
    static readonly Dictionary<string, Func<Stream, Stream>> Codings = new()
    {
        ["gzip"] = to => new GZipStream(to, CompressionMode.Compress, leaveOpen: true),
        ["GZIP"] = to => new GZipStream(to, CompressionMode.Compress, leaveOpen: true),
        ["deflate"] = to => new ZLibStream(to, CompressionMode.Compress, leaveOpen: true),
        ["br"] = to => new BrotliStream(to, CompressionMode.Compress, leaveOpen: true),
        ["identity"] = to => new BufferedStream(to),
    };

    public static TheoryData<string> Known => [.. Codings.Keys];

    [Theory, MemberData(nameof(Known))]
    public async Task A_compressed_answer_is_read(string coding)
    {
        var text = new string('x', 100_000) + "end";
        using var response = Response(coding, Compressed(coding, Encoding.UTF8.GetBytes(text)));
        using var body = await AnswerBody.ReadAsync(response, 1_000_000, truncate: false, TestContext.Current.CancellationToken);
        Assert.Equal(text, Encoding.UTF8.GetString(body.Memory.Span));
    }

    [Fact]
    public async Task A_compressed_answer_cannot_grow_without_bound()
    {
        var zeros = Compressed("gzip", new byte[InflatedStream.MaxBytes + 1]);
        Assert.True(zeros.Length < 100_000);
        using var whole = Response("gzip", zeros);
        await Assert.ThrowsAsync<IOException>(
            async () => await AnswerBody.ReadAsync(whole, 1_000_000, truncate: false, TestContext.Current.CancellationToken));

        using var stream = Response("gzip", zeros);
        await using var inflated = await InflatedStream.OpenAsync(stream, TestContext.Current.CancellationToken);
        var buffer = new byte[1024 * 1024];
        await Assert.ThrowsAsync<IOException>(async () =>
        {
            while (await inflated.ReadAsync(buffer, TestContext.Current.CancellationToken) > 0) { }
        });
    }

    [Fact]
    public async Task What_is_said_to_be_compressed_and_is_not_is_a_broken_answer()
    {
        using var response = Response("gzip", "{}"u8.ToArray());
        await Assert.ThrowsAsync<IOException>(
            async () => await AnswerBody.ReadAsync(response, 1000, truncate: false, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("gzip, zstd")]
    public async Task A_coding_that_is_not_known_is_named(string coding)
    {
        using var response = Response(coding, [1, 2, 3]);
        var refused = await Assert.ThrowsAsync<ProblemException>(
            async () => await AnswerBody.ReadAsync(response, 1000, truncate: false, TestContext.Current.CancellationToken));
        Assert.Equal(502, refused.Problem.Status);
        Assert.Contains("zstd", refused.Problem.Message, StringComparison.Ordinal);
    }

    static byte[] Compressed(string coding, byte[] bytes)
    {
        using var to = new MemoryStream();
        using (var compressing = Codings[coding](to))
        {
            compressing.Write(bytes);
            compressing.Flush();
        }
        return to.ToArray();
    }

    static HttpResponseMessage Response(string coding, byte[] body)
    {
        var response = new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(body) };
        response.Content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        return response;
    }
}
