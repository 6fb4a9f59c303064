using System.Text;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

public sealed class IdempotencyTests
{
    [Theory]
    [InlineData(new string[0], true, null)]
    [InlineData(new[] { "order 7/a~" }, true, "order 7/a~")]
    [InlineData(new[] { "" }, false, null)]
    [InlineData(new[] { "a", "b" }, false, null)]
    [InlineData(new[] { "tab\t" }, false, null)]
    [InlineData(new[] { "schlüssel" }, false, null)]
    public void A_key_is_one_value_of_printable_ASCII_or_is_refused_by_its_name(string[] sent, bool isGood, string? read)
    {
        var http = new DefaultHttpContext();
        if (sent.Length > 0)
            http.Request.Headers[Idempotency.HeaderName] = sent;

        var (key, problem) = Idempotency.ReadKey(http.Request);

        Assert.Equal((read, isGood), (key, problem is null));
        Assert.Equal(isGood ? null : "Idempotency-Key", problem?.Param);
    }

    [Fact]
    public void A_key_has_255_characters_at_most()
    {
        var http = new DefaultHttpContext();
        http.Request.Headers[Idempotency.HeaderName] = new string('k', 255);
        Assert.Equal(new string('k', 255), Idempotency.ReadKey(http.Request).Key);
        http.Request.Headers[Idempotency.HeaderName] = new string('k', 256);
        Assert.Equal(400, Idempotency.ReadKey(http.Request).Problem!.Status);
    }

    [Fact]
    public async Task What_is_stored_for_repetitions_is_whole_even_when_the_caller_has_gone()
    {
        using var gone = new CancellationTokenSource();
        await gone.CancelAsync();
        var http = new DefaultHttpContext
        {
            RequestAborted = gone.Token,
            RequestServices = new ServiceCollection().AddLogging().BuildServiceProvider(),
        };

        var (status, body) = await Idempotency.CaptureAsync(
            http,
            TypedResults.Json(new { id = "ses_1" }, statusCode: StatusCodes.Status201Created));

        Assert.Equal((201, """{"id":"ses_1"}"""), (status, Encoding.UTF8.GetString(body)));
        Assert.True(http.RequestAborted.IsCancellationRequested);
    }
}
