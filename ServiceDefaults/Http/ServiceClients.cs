using System.Net;
using LlmGateway.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http.Resilience;
using Polly;
using Polly.Timeout;

namespace LlmGateway.ServiceDefaults;

/// <summary>Clients of the gateway's other services.</summary>
public static class ServiceClients
{
    const int MaxRetries = 3;

    /// <summary>
    /// A typed client of another service, by its name: <c>services:NAME:http:0</c> and, where there are several instances, <c>:1</c> and so
    /// on, asked in turn. Answers are read whole, so what is long or a stream must not go this way.
    /// </summary>
    public static void AddServiceClient<TClient>(this IHostApplicationBuilder builder, string service, TimeSpan attemptTimeout)
        where TClient : class
    {
        // Without an address the name would be looked up in DNS.
        builder.Setting($"services:{service}:http:0");
        var client = builder.Services.AddHttpClient<TClient>(http =>
        {
            http.BaseAddress = Address(service);
            http.Timeout = Timeout.InfiniteTimeSpan; // that of the pipeline below
        });
        client.ConfigurePrimaryHttpMessageHandler(NewHandler).RemoveAllLoggers();
        client.AddResilienceHandler("calls", pipeline => Configure(pipeline, attemptTimeout));
        client.AddServiceDiscovery(); // inside the retries: the next attempt asks the next instance
        client.AddHttpMessageHandler(services => new Signing(services.GetRequiredService<CallSigning>(), service));
        client.AddHttpMessageHandler(() => new Buffering());
    }

    public static Uri Address(string service) => new($"http://{service}");

    public static SocketsHttpHandler NewHandler() => new()
    {
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
    };

    /// <summary>
    /// Every internal call is idempotent by ids that the caller chose, so each may be repeated: <see cref="MaxRetries"/> times when nobody
    /// was reached or the connection broke, once when no whole answer came in time. A 503 is not repeated: the service is full or its
    /// database is away, and more calls would make that worse. A service that leaves nearly every call unanswered is not called for a
    /// moment.
    /// </summary>
    static void Configure(ResiliencePipelineBuilder<HttpResponseMessage> pipeline, TimeSpan attemptTimeout) => pipeline
        .AddTimeout(2 * attemptTimeout)
        .AddRetry(new HttpRetryStrategyOptions
        {
            MaxRetryAttempts = MaxRetries,
            Delay = TimeSpan.FromMilliseconds(50),
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            ShouldHandle = new PredicateBuilder<HttpResponseMessage>()
                .Handle<HttpRequestException>().Handle<TimeoutRejectedException>()
                .HandleResult(response => response.StatusCode is HttpStatusCode.BadGateway),
        })
        .AddCircuitBreaker(new HttpCircuitBreakerStrategyOptions
        {
            FailureRatio = 0.9,
            MinimumThroughput = 20,
            SamplingDuration = TimeSpan.FromSeconds(10),
            BreakDuration = TimeSpan.FromSeconds(1),
            ShouldHandle = new PredicateBuilder<HttpResponseMessage>().Handle<TimeoutRejectedException>(),
        })
        .AddTimeout(attemptTimeout);

    /// <summary>Each attempt is signed anew, because a signature holds for a short time only.</summary>
    sealed class Signing(CallSigning signing, string service) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Remove(ServiceCall.Header);
            request.Headers.Add(ServiceCall.Header, signing.Sign(service));
            return base.SendAsync(request, cancellationToken);
        }
    }

    /// <summary>
    /// A body whose length is known goes out together with its head. The answer's body is read within the attempt: the client itself would
    /// read it after the last timeout, and wait without end for a service that froze after the head.
    /// </summary>
    sealed class Buffering : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Content is { } content)
                await content.LoadIntoBufferAsync(cancellationToken);
            var response = await base.SendAsync(request, cancellationToken);
            try
            {
                await response.Content.LoadIntoBufferAsync(cancellationToken);
                return response;
            }
            catch
            {
                response.Dispose();
                throw;
            }
        }
    }
}
