using System.Text;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

public sealed class IdempotencyTests
{
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
