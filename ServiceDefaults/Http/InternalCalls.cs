using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http.Resilience;
using Polly;
using Polly.Timeout;

namespace LlmGateway.ServiceDefaults;

/// <summary>The key that all services of one gateway share.</summary>
public sealed record InternalKey(string Value)
{
    public const string Setting = "Gateway:InternalKey";
}

/// <summary>
/// Calls between the gateway's services: plain HTTP with a shared key. Without the key only health is reachable. The edge sends the
/// caller's identity in <see cref="Principal.Header"/>.
/// </summary>
public static class InternalCalls
{
    public const string KeyHeader = "X-Gateway-Internal";

    /// <summary>What a service needs to call others and to be called.</summary>
    public static void AddInternalCalls(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton(new InternalKey(builder.Setting(InternalKey.Setting)));
        builder.Services.AddServiceDiscovery();
    }

    /// <summary>Refuses every call without the internal key, health excepted.</summary>
    public static void UseInternalOnly(this WebApplication app)
    {
        var key = app.Services.GetRequiredService<InternalKey>();
        app.Use(async (http, next) =>
        {
            var open = http.Request.Path.Value is "/alive" or "/health";
            if (open || http.Request.HasInternalKey(key))
                await next(http);
            else
                await Problems.WriteAsync(http, Problems.InternalOnly);
        });
    }

    /// <summary>Whether a request carries the internal key. The time it takes does not tell how much of a wrong key is right.</summary>
    public static bool HasInternalKey(this HttpRequest request, InternalKey key) => CryptographicOperations.FixedTimeEquals(
        Encoding.ASCII.GetBytes(request.Headers[KeyHeader].ToString()),
        Encoding.ASCII.GetBytes(key.Value));

    /// <summary>The caller, as the edge identified it. Throws 401 when the call came without a principal.</summary>
    public static Principal Principal(this HttpContext http)
    {
        try
        {
            return JsonSerializer.Deserialize<Principal>(
                Convert.FromBase64String(http.Request.Headers[Contracts.Principal.Header].ToString()), Defaults.Json)!;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw new ProblemException(Problems.InternalOnly);
        }
    }

    /// <summary>The caller must be a backend with a secret key.</summary>
    public static Principal Backend(this HttpContext http) =>
        http.Principal() is { Kind: CredentialKind.SecretKey } principal
            ? principal
            : throw new ProblemException(Problems.WrongCredential("a secret key (sk_…)"));

    /// <summary>The caller must be an end user with a session.</summary>
    public static Principal EndUser(this HttpContext http) =>
        http.Principal() is { Kind: CredentialKind.Session } principal
            ? principal
            : throw new ProblemException(Problems.WrongCredential("a session token (es_…)"));

    public static string Encode(Principal principal) =>
        Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(principal, Defaults.Json));

    /// <summary>
    /// A typed client of another service, by its name: <c>services:NAME:http:0</c> and, where there are several instances, <c>:1</c> and so
    /// on, asked in turn.
    /// </summary>
    public static void AddServiceClient<TClient>(this IHostApplicationBuilder builder, string service, TimeSpan attemptTimeout)
        where TClient : class
    {
        // Without an address the name would be looked up in DNS.
        builder.Setting($"services:{service}:http:0");
        var client = builder.Services.AddHttpClient<TClient>((services, http) =>
        {
            http.BaseAddress = Address(service);
            http.DefaultRequestHeaders.Add(KeyHeader, services.GetRequiredService<InternalKey>().Value);
            http.Timeout = Timeout.InfiniteTimeSpan; // that of the pipeline below
        });
        client.ConfigurePrimaryHttpMessageHandler(NewHandler).RemoveAllLoggers();
        client.AddHttpMessageHandler(() => new Buffering());
        client.AddResilienceHandler("calls", pipeline => Configure(pipeline, attemptTimeout));
        client.AddServiceDiscovery(); // inside the retries: the next attempt asks the next instance
    }

    public static Uri Address(string service) => new($"http://{service}");

    public static SocketsHttpHandler NewHandler() => new()
    {
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
    };

    public const int MaxRetries = 3;

    /// <summary>
    /// Every internal call is idempotent by ids that the caller chose, so each may be repeated: <see cref="MaxRetries"/> times when nobody
    /// was reached, once when no answer came in time. A 503 is not repeated: the service is full or its database is away, and more calls
    /// would make that worse. A service that leaves nearly every call unanswered is not called for a moment.
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

    /// <summary>A body whose length is known goes out together with its head.</summary>
    sealed class Buffering : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Content is { } content)
                await content.LoadIntoBufferAsync(cancellationToken);
            return await base.SendAsync(request, cancellationToken);
        }
    }
}
