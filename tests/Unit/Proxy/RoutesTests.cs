using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Batches;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using RoutePattern = Microsoft.AspNetCore.Routing.Patterns.RoutePattern;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;
using Xunit;
using Yarp.ReverseProxy.Transforms.Builder;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Rules of every route that the edge serves, read from the routes themselves, so that a new one cannot lack them.</summary>
public sealed class RoutesTests : IAsyncDisposable
{
    /// <summary>Open to all, or for who has the internal key, or for Stripe, whose signature Billing checks.</summary>
    static readonly string[] WithoutCaller =
    [
        "/", "/internal/drain", "/internal/resume",
        "/webhook/stripe", "/stripe/webhook", "/webhooks/stripe", "/payment-webhooks/stripe",
    ];

    /// <summary>What is posted and costs nothing. Whatever else is posted is paid.</summary>
    static readonly string[] FreePosts =
    [
        "POST /v1/messages/count_tokens", "POST /v1/files", "POST /files", "POST /v1/messages/batches/{id}/cancel",
        "POST /v1/batches/{id}/cancel", "POST /batches/{id}/cancel", "POST /v1/providers/{id}/test",
    ];

    readonly Credential _user = SessionsInMemory.Credential(new(RequestsPerMinute: 1, TokensPerMinute: null));
    readonly Credential _backend = SessionsInMemory.Credential(kind: CredentialKind.SecretKey);
    readonly Credential _unrated = SessionsInMemory.Credential();
    readonly string _userKey = Token.New(Token.CustomerKey), _unratedKey = Token.New(Token.CustomerKey);
    readonly string _backendKey = Token.New(Token.LiveSecret);
    readonly ManagementRates _rates = new(backend: 1, user: 1, TimeProvider.System);
    readonly WebApplication _app;

    public RoutesTests()
    {
        _app = NewApp();
        _app.MapRoutes();
    }

    public static TheoryData<string> Addresses => [.. new RoutesTests().Endpoints
        .Where(route => !WithoutCaller.Contains(route.RoutePattern.RawText)).Select(AddressOf)];

    /// <summary>All but those of models, whose calls cost something.</summary>
    public static TheoryData<string> FreeAddresses
    {
        get
        {
            var models = new RoutesTests().NewApp();
            models.MapInference();
            ProviderRoutes.Map(models);
            CustomRoutes.Map(models);
            return [.. Addresses.Select(row => row.Data).Except(EndpointsOf(models).Select(AddressOf))];
        }
    }

    /// <summary>Those of the Gemini wire are no routes. Like all models they are answered by <see cref="Inference"/>.</summary>
    public static TheoryData<string> PaidAddresses =>
        [.. Addresses.Select(row => row.Data).Where(address => address.StartsWith("POST ", StringComparison.Ordinal)).Except(FreePosts)];

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

    [Theory, MemberData(nameof(FreeAddresses))]
    public async Task Every_free_route_counts_also_a_caller_whose_requests_are_not_limited(string address)
    {
        Assert.Null(_rates.Take(_unrated));

        Assert.Equal((429, true), await CallAsync(Endpoints.Single(route => AddressOf(route) == address), _unratedKey));
    }

    [Theory, MemberData(nameof(PaidAddresses))]
    public async Task Every_paid_route_reads_its_idempotency_key_before_it_does_anything(string address)
    {
        var endpoint = Endpoints.Single(route => AddressOf(route) == address);

        var (status, message) = await RefusedAsync(endpoint, http => http.Request.Headers[Idempotency.HeaderName] = "");

        Assert.Equal(400, status);
        Assert.Contains(Idempotency.HeaderName, message);
    }

    /// <summary>A route of a project at such a path would never be reached.</summary>
    [Fact]
    public void Every_route_of_the_gateway_is_at_a_reserved_path() => Assert.All(
        Endpoints.Select(route => route.RoutePattern).Where(pattern => WordsOf(pattern).Any()),
        pattern => Assert.True(ReservedPaths.Contain(WordsOf(pattern)), pattern.RawText));

    /// <summary>Routing would say it by itself, but for the route that takes what is left for those of projects.</summary>
    [Theory]
    [InlineData("DELETE", "/v1/chat/completions", "POST"), InlineData("GET", "/V1/Messages/", "POST")]
    [InlineData("TRACE", "/v1/providers/x/y", "DELETE, GET, PATCH, POST, PUT"), InlineData("GET", "/v1/weather", null)]
    public async Task A_method_that_a_route_of_the_gateway_lacks_is_refused_with_those_that_it_takes(
        string method, string path, string? takes)
    {
        var rest = Endpoints.Single(route => route.Order == int.MaxValue);
        var response = await AnswerAsync(rest, _backendKey, http => (http.Request.Method, http.Request.Path) = (method, path));
        Assert.Equal((takes is null ? 404 : 405, takes ?? ""), (response.StatusCode, response.Headers.Allow.ToString()));
    }

    [Theory]
    [InlineData(Token.LiveSecret), InlineData(Token.LiveMember), InlineData(Token.TestMember)]
    public async Task To_who_only_manages_a_path_that_is_not_there_is_just_that(string prefix)
    {
        var rest = Endpoints.Single(route => route.Order == int.MaxValue);

        var response = await AnswerAsync(
            rest, Token.New(prefix), http => (http.Request.Method, http.Request.Path) = ("GET", "/v1/weather"));

        Assert.Equal(404, response.StatusCode);
    }

    static IEnumerable<string> WordsOf(RoutePattern pattern) => pattern.PathSegments
        .TakeWhile(segment => segment.Parts is [RoutePatternLiteralPart])
        .Select(segment => ((RoutePatternLiteralPart)segment.Parts[0]).Content);

    [Fact]
    public void What_is_posted_and_free_is_posted() => Assert.Empty(FreePosts.Except(Addresses.Select(row => row.Data)));

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

        await ManagementCalls.Transformer(_app.Services.GetRequiredService<ITransformBuilder>())
            .TransformRequestAsync(http, request, "http://sessions", TestContext.Current.CancellationToken);

        Assert.Equal(
            [("Accept", "as the caller says"), (Idempotency.HeaderName, "as the caller says"), (ServiceCall.Header, "as identified")],
            request.Headers.Select(header => (header.Key, header.Value.Single())).Order());
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    IEnumerable<RouteEndpoint> Endpoints => EndpointsOf(_app);

    static IEnumerable<RouteEndpoint> EndpointsOf(IEndpointRouteBuilder app) =>
        app.DataSources.SelectMany(source => source.Endpoints).Cast<RouteEndpoint>();

    static string AddressOf(RouteEndpoint route) =>
        $"{route.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Single() ?? "*"} {route.RoutePattern.RawText}";

    async Task<(int Status, bool HasRetryAfter)> CallAsync(RouteEndpoint endpoint, string key)
    {
        var response = await AnswerAsync(endpoint, key, _ => { });
        return (response.StatusCode, response.Headers.RetryAfter.Count > 0);
    }

    async Task<(int Status, string? Message)> RefusedAsync(RouteEndpoint endpoint, Action<HttpContext> change)
    {
        using var body = new MemoryStream();
        var response = await AnswerAsync(endpoint, _unratedKey, http =>
        {
            http.Response.Body = body;
            change(http);
        });
        var error = JsonDocument.Parse(body.ToArray()).RootElement.GetProperty("error");
        return (response.StatusCode, error.GetProperty("message").GetString());
    }

    async Task<HttpResponse> AnswerAsync(RouteEndpoint endpoint, string key, Action<HttpContext> change)
    {
        await using var scope = _app.Services.CreateAsyncScope();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        http.Request.Headers.Authorization = $"Bearer {key}";
        foreach (var parameter in endpoint.RoutePattern.Parameters)
            http.Request.RouteValues[parameter.Name] = "x";
        change(http);
        try
        {
            await endpoint.RequestDelegate!(http);
        }
        catch (ProblemException e)
        {
            await e.Problem.ExecuteAsync(http);
        }
        return http.Response;
    }

    /// <summary>Only what a route may use before it refuses is there.</summary>
    WebApplication NewApp()
    {
        var credentials = new Dictionary<string, Credential>
        {
            [Token.Fingerprint(_userKey)] = _user, [Token.Fingerprint(_unratedKey)] = _unrated,
            [Token.Fingerprint(_backendKey)] = _backend,
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
        var entrance = new Entrance(identity, uses, _rates, limits);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddSingleton(new CallSigning(
            ServiceCall.Proxy, ServiceCall.SealOf([KeySetting.Read(new('k', 32), KeySetting.InternalKey)], TimeProvider.System)));
        builder.Services.AddServiceDiscovery();
        builder.Services.AddHttpForwarder();
        builder.Services.AddSingleton(identity);
        builder.Services.AddSingleton(_rates);
        builder.Services.AddSingleton<ManagementCalls>();
        builder.Services.AddSingleton(uses);
        builder.Services.AddSingleton(new TestProvider(identity, uses, _rates, null!, TimeProvider.System));
        builder.Services.AddSingleton(new OwnBalance(null!, null!));
        builder.Services.AddSingleton(new OwnCredits(identity, _rates, null!, TimeProvider.System));
        var inference = new Inference(
            identity, null!, null!, uses, limits, null!, null!, null!, new(TimeProvider.System), null!, null!, new(null), null!, null!,
            null!, null!, TimeProvider.System);
        builder.Services.AddSingleton(inference);
        var calls = new HttpCalls(inference, null!, null!, null!, limits, null!, new(TimeProvider.System), TimeProvider.System);
        builder.Services.AddSingleton(new ProviderRoutes(calls));
        builder.Services.AddSingleton(new CustomRoutes(calls, null!, new(TimeProvider.System)));
        builder.Services.AddSingleton(new ResponseRoutes(entrance, null!));
        builder.Services.AddSingleton(new CountTokens(entrance, null!, null!));
        var creation = new BatchCreation(
            null!, null!, null!, null!, null!, null!, limits, TimeProvider.System, NullLogger<BatchCreation>.Instance);
        builder.Services.AddSingleton(new MessageBatches(
            entrance, null!, creation, null!, null!, null!, new(TimeProvider.System), TimeProvider.System));
        builder.Services.AddSingleton(new FileBatches(
            entrance, null!, creation, null!, null!, null!, new(TimeProvider.System), TimeProvider.System));
        builder.Services.AddSingleton(new Files(entrance, null!, null!, null!, null!, TimeProvider.System, NullLogger<Files>.Instance));
        builder.Services.AddSingleton(new Drain(null!, null!, null!, TimeProvider.System, NullLogger<Drain>.Instance));
        return builder.Build();
    }
}
