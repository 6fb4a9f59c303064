using System.Net;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.Http.Resilience;
using Polly;
using Polly.Timeout;

namespace LlmGateway.Billing;

/// <summary>
/// The HTTP client for Stripe. Every POST has an idempotency key, so a call whose answer did not come may be repeated: Stripe does it once.
/// What Stripe has answered is not repeated here, but for 409 and 429, which say that it was not done.
/// </summary>
public static class StripeHttp
{
    const int MaxRetries = 2;

    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(10), CallTimeout = TimeSpan.FromSeconds(25);

    public static HttpClient NewClient() => new(new ResilienceHandler(NewPipeline()) { InnerHandler = ServiceClients.NewHandler() })
    {
        Timeout = Timeout.InfiniteTimeSpan, // that of the pipeline
    };

    static ResiliencePipeline<HttpResponseMessage> NewPipeline() => new ResiliencePipelineBuilder<HttpResponseMessage>()
        .AddTimeout(CallTimeout)
        .AddRetry(new HttpRetryStrategyOptions
        {
            MaxRetryAttempts = MaxRetries,
            Delay = TimeSpan.FromMilliseconds(200),
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            ShouldHandle = new PredicateBuilder<HttpResponseMessage>()
                .Handle<HttpRequestException>().Handle<TimeoutRejectedException>()
                .HandleResult(response => response.StatusCode is HttpStatusCode.Conflict or HttpStatusCode.TooManyRequests),
        })
        .AddTimeout(AttemptTimeout)
        .Build();
}
