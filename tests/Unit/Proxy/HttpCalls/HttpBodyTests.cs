using System.IO.Pipelines;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Bodies of calls of HTTP APIs that pass as they come.</summary>
public sealed class HttpBodyTests
{
    const long Length = 10 * 1024 * 1024;

    readonly FakeTimeProvider _clock = new();
    readonly Pipe _sent = new();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_body_that_passes_has_the_time_of_one_that_is_read_however_it_drips()
    {
        using var body = await OpenAsync();
        var longest = RequestBody.LongestTime(Length);
        var sending = body.NewContent(() => { })!.CopyToAsync(Stream.Null, Token);
        for (var i = 0; i < 3; i++)
        {
            await _sent.Writer.WriteAsync(new byte[1000], Token);
            _clock.Advance(longest / 4);
            Assert.False(sending.IsCompleted);
        }

        _clock.Advance(longest / 4);

        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => sending);
        Assert.Same(body.Refused, failure.InnerException);
        Assert.Equal(StatusCodes.Status408RequestTimeout, body.Refused?.StatusCode);
    }

    [Fact]
    public async Task A_body_that_comes_in_time_is_sent_whole()
    {
        using var body = await OpenAsync();
        using var to = new MemoryStream();
        var sending = body.NewContent(() => { })!.CopyToAsync(to, Token);
        _clock.Advance(RequestBody.LongestTime(Length) / 2);
        await _sent.Writer.WriteAsync(new byte[1000], Token);
        await _sent.Writer.CompleteAsync();

        await sending;

        Assert.Equal((1000, 1000, null), (to.Length, body.Bytes, body.Refused));
    }

    [Fact]
    public async Task Whoever_gives_up_sending_is_not_told_that_the_body_was_slow()
    {
        using var body = await OpenAsync();
        using var gone = new CancellationTokenSource();
        var sending = body.NewContent(() => { })!.CopyToAsync(Stream.Null, gone.Token);

        await gone.CancelAsync();
        _clock.Advance(RequestBody.LongestTime(Length));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        Assert.Null(body.Refused);
    }

    ValueTask<HttpBody> OpenAsync()
    {
        var http = new DefaultHttpContext();
        (http.Request.ContentLength, http.Request.Body) = (Length, _sent.Reader.AsStream());
        return HttpBody.OpenAsync(http, new BodyBudget(Length, Length), Ids.New(), whole: false, _clock);
    }
}
