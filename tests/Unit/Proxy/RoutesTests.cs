using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Batches;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;
using Xunit;
using Yarp.ReverseProxy.Transforms.Builder;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Rules of every route that the edge serves, read from the routes themselves, so that a new one cannot lack them.</summary>
public sealed class RoutesTests : IAsyncDisposable
{
    /// <summary>Open to all, or for who has the internal key.</summary>
    static readonly string[] WithoutCaller = ["/", "/internal/drain", "/internal/resume", "{*path:nonfile}"];

    readonly Credential _user = SessionsInMemory.Credential(new(RequestsPerMinute: 1, TokensPerMinute: null));
    readonly Credential _backend = SessionsInMemory.Credential(kind: CredentialKind.SecretKey);
    readonly string _userKey = Token.New(Token.CustomerKey), _backendKey = Token.New(Token.LiveSecret);
    readonly ManagementRates _rates = new(backend: 1, user: 1, TimeProvider.System);
    readonly WebApplication _app;

    public RoutesTests() => _app = NewApp();

    public static TheoryData<string> Addresses
    {
        get
        {
            var addresses = new TheoryData<string>();
            var test = new RoutesTests();
            foreach (var route in test.Endpoints.Where(route => !WithoutCaller.Contains(route.RoutePattern.RawText)))
                addresses.Add(AddressOf(route));
            return addresses;
        }
    }

    [Theory, MemberData(nameof(Addresses))]
    public async Task Every_route_refuses_a_credential_that_has_used_up_its_minute_before_it_does_anything(string address)
    {
        Assert.Null(_rates.Take(_user));
        Assert.Null(_rates.Take(_backend));
        var endpoint = Endpoints.Single(route => AddressOf(route) == address);

        Assert.Equal((429, true), await CallAsync(endpoint, _userKey));
        if (address.StartsWith("* /v1/", StringComparison.Ordinal)) // management, which backends may call
            Assert.Equal((429, true), await CallAsync(endpoint, _backendKey));
    }

    [Fact]
    public async Task A_service_gets_the_headers_that_it_reads_and_none_by_which_a_caller_could_claim_anything()
    {
        var http = new DefaultHttpContext { Request = { Method = "POST", Path = "/v1/sessions", Scheme = "http", Host = new("edge") } };
        http.Connection.RemoteIpAddress = System.Net.IPAddress.Loopback;
        http.Items[ServiceCall.Header] = "as identified";
        foreach (var header in (string[])
        [
            "Authorization", "X-API-Key", "x-goog-api-key", "Cookie", ServiceCall.Header, "traceparent", "tracestate",
            "baggage", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Real-IP",
            "X-User-ID", "X-Plan-ID", "Accept", Idempotency.HeaderName,
        ])
            http.Request.Headers[header] = "as the caller says";
        using var request = new HttpRequestMessage();

        await Management.Transformer(_app.Services.GetRequiredService<ITransformBuilder>())
            .TransformRequestAsync(http, request, "http://sessions", TestContext.Current.CancellationToken);

        Assert.Equal(
            [("Accept", "as the caller says"), (Idempotency.HeaderName, "as the caller says"), (ServiceCall.Header, "as identified")],
            request.Headers.Select(header => (header.Key, header.Value.Single())).Order());
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    IEnumerable<RouteEndpoint> Endpoints => ((IEndpointRouteBuilder)_app).DataSources.SelectMany(source => source.Endpoints)
        .Cast<RouteEndpoint>();

    static string AddressOf(RouteEndpoint route) =>
        $"{route.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Single() ?? "*"} {route.RoutePattern.RawText}";

    async Task<(int Status, bool HasRetryAfter)> CallAsync(RouteEndpoint endpoint, string key)
    {
        await using var scope = _app.Services.CreateAsyncScope();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        http.Request.Headers.Authorization = $"Bearer {key}";
        foreach (var parameter in endpoint.RoutePattern.Parameters)
            http.Request.RouteValues[parameter.Name] = "x";
        try
        {
            await endpoint.RequestDelegate!(http);
        }
        catch (ProblemException e)
        {
            await e.Problem.ExecuteAsync(http);
        }
        return (http.Response.StatusCode, http.Response.Headers.RetryAfter.Count > 0);
    }

    /// <summary>Only what a route may use before it refuses is there.</summary>
    WebApplication NewApp()
    {
        var credentials = new Dictionary<string, Credential>
        {
            [Token.Fingerprint(_userKey)] = _user, [Token.Fingerprint(_backendKey)] = _backend,
        };
        var identity = new SessionsInMemory(path => Task.FromResult(path == "/internal/credentials"
            ? JsonSerializer.Serialize(credentials, Defaults.Json)
            : JsonSerializer.Serialize(
                credentials.Values.ToDictionary(known => known.Project, known => SessionsInMemory.Project(known.Project)),
                Defaults.Json))).Identity(TimeProvider.System);
        // Of the customer's minute nothing is left.
        var redis = RedisInMemory.New((method, _) => method == nameof(IDatabase.ScriptEvaluateAsync)
            ? Task.FromResult(RedisResult.Create([1_000_000, 0, 1_000_000, 1, 0]))
            : throw new NotSupportedException(method));
        var limits = new RateLimits(redis, TimeProvider.System, NullLogger<RateLimits>.Instance);
        var uses = new KeyUse(null!, TimeProvider.System, NullLogger<KeyUse>.Instance);
        var callers = new ObjectCallers(identity, uses, _rates, limits, null!);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddSingleton(new CallSigning(
            ServiceCall.Proxy, ServiceCall.SealOf([KeySetting.Read(new('k', 32), KeySetting.InternalKey)], TimeProvider.System)));
        builder.Services.AddServiceDiscovery();
        builder.Services.AddHttpForwarder();
        builder.Services.AddSingleton(identity);
        builder.Services.AddSingleton(_rates);
        builder.Services.AddSingleton(new Inference(
            identity, null!, null!, uses, limits, null!, null!, null!, null!, null!, new(null), null!, null!, TimeProvider.System));
        builder.Services.AddSingleton(new ResponseRoutes(callers, null!));
        builder.Services.AddSingleton(new CountTokens(identity, null!, uses, limits, null!));
        builder.Services.AddSingleton(new MessageBatches(callers, null!, null!, null!, null!, null!, TimeProvider.System));
        builder.Services.AddSingleton(new FileBatches(callers, null!, null!, null!, null!, null!, TimeProvider.System));
        builder.Services.AddSingleton(new Files(callers, null!, null!, null!, TimeProvider.System, NullLogger<Files>.Instance));
        builder.Services.AddSingleton(new Drain(null!, null!, null!, TimeProvider.System, NullLogger<Drain>.Instance));
        var app = builder.Build();
        app.MapRoutes();
        return app;
    }
}
