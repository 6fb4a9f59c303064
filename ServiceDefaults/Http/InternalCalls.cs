using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// How the gateway's services talk to each other: plain HTTP with a shared key. Whoever has no key reaches nothing but health;
/// the identity that the edge established comes with it in <see cref="Principal.Header"/>.
/// </summary>
public static class InternalCalls
{
    public const string KeyHeader = "X-Gateway-Internal", KeySetting = "Gateway:InternalKey";

    /// <summary>Refuses every call without the internal key, health excepted.</summary>
    public static void UseInternalOnly(this WebApplication app)
    {
        var key = app.Configuration.InternalKey();
        app.Use(async (http, next) =>
        {
            var open = http.Request.Path.Value is "/alive" or "/health";
            if (open || http.Request.HasInternalKey(key))
                await next(http);
            else
                await Problems.WriteAsync(http, Problems.InternalOnly);
        });
    }

    public static byte[] InternalKey(this IConfiguration configuration) => Encoding.ASCII.GetBytes(configuration.Setting(KeySetting));

    /// <summary>Whether a request carries the internal key. The time it takes does not tell how much of a wrong key is right.</summary>
    public static bool HasInternalKey(this HttpRequest request, byte[] key) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(request.Headers[KeyHeader].ToString()), key);

    /// <summary>Who the edge says is calling. Throws 401 when the call came without a principal.</summary>
    public static Principal Principal(this HttpContext http)
    {
        try
        {
            return JsonSerializer.Deserialize<Principal>(Convert.FromBase64String(http.Request.Headers[Contracts.Principal.Header].ToString()), Defaults.Json)!;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw new ProblemException(Problems.InternalOnly);
        }
    }

    /// <summary>The caller must be a backend with a secret key.</summary>
    public static Principal Backend(this HttpContext http) =>
        http.Principal() is { Kind: CredentialKind.SecretKey } principal ? principal : throw new ProblemException(Problems.WrongCredential("a secret key (sk_…)"));

    /// <summary>The caller must be an end user with a session.</summary>
    public static Principal EndUser(this HttpContext http) =>
        http.Principal() is { Kind: CredentialKind.Session } principal ? principal : throw new ProblemException(Problems.WrongCredential("a session token (es_…)"));

    public static string Encode(Principal principal) => Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(principal, Defaults.Json));

    /// <summary>
    /// A typed client of another service. Every internal call is idempotent by ids that the caller chose, so each may be retried:
    /// at most <see cref="MaxRetries"/> times, each attempt bounded by <paramref name="attemptTimeout"/>.
    /// </summary>
    public static void AddServiceClient<TClient>(this IServiceCollection services, IConfiguration configuration, string service, TimeSpan attemptTimeout)
        where TClient : class
    {
        var address = configuration.Service(service);
        var key = configuration.Setting(KeySetting);
        services.AddHttpClient<TClient>(client =>
            {
                client.BaseAddress = address;
                client.DefaultRequestHeaders.Add(KeyHeader, key);
                client.Timeout = Timeout.InfiniteTimeSpan; // each attempt has its own
            })
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), UseProxy = false, UseCookies = false, AllowAutoRedirect = false })
            .AddHttpMessageHandler(() => new Retrying(Pipeline(attemptTimeout)))
            .RemoveAllLoggers();
    }

    public const int MaxRetries = 3;

    static ResiliencePipeline<HttpResponseMessage> Pipeline(TimeSpan attemptTimeout) => new ResiliencePipelineBuilder<HttpResponseMessage>()
        .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
        {
            MaxRetryAttempts = MaxRetries,
            Delay = TimeSpan.FromMilliseconds(50),
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            ShouldHandle = new PredicateBuilder<HttpResponseMessage>()
                .Handle<HttpRequestException>().Handle<TimeoutRejectedException>()
                .HandleResult(response => response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.BadGateway),
        })
        .AddTimeout(attemptTimeout)
        .Build();

    sealed class Retrying(ResiliencePipeline<HttpResponseMessage> pipeline) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            // JsonContent streams once; buffered content can be sent again.
            if (request.Content is { } content)
                await content.LoadIntoBufferAsync(cancellationToken);
            try
            {
                return await pipeline.ExecuteAsync(async token => await base.SendAsync(request, token), cancellationToken);
            }
            catch (TimeoutRejectedException e)
            {
                throw new TimeoutException($"{request.RequestUri?.AbsolutePath} did not answer in time", e);
            }
        }
    }
}
