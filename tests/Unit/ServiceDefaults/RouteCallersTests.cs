using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using LlmGateway.Billing;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using LlmGateway.Wallet;
using LlmGateway.Webhooks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>
/// The services themselves, in this process and without their servers. Every route is in its service's table, and only the callers that
/// the table names get further than the door, with a call that is whole, for this service and of now. Every public route with a body
/// refuses members that it does not have.
/// </summary>
public sealed partial class RouteCallersTests
{
    const string Key = "a key of thirty-two characters, or more";

    static readonly string[] Everybody =
        [ServiceCall.Proxy, ServiceCall.Sessions, ServiceCall.Wallet, ServiceCall.Webhooks, ServiceCall.Billing, ServiceCall.Operator,
            "stranger"];

    static readonly Principal Backend = new(CredentialKind.SecretKey, Guid.NewGuid(), false, Guid.NewGuid(), Guid.NewGuid(), null, null);

    static readonly Principal EndUser = new(
        CredentialKind.Session, Guid.NewGuid(), false, Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid());

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public Task Every_route_of_Wallet_answers_its_callers_alone() =>
        MustAnswerItsCallersAloneAsync<WalletDb>(ServiceCall.Wallet, LlmGateway.Wallet.Routes.Callers);

    [Fact]
    public Task Every_route_of_Sessions_answers_its_callers_alone() =>
        MustAnswerItsCallersAloneAsync<SessionsDb>(ServiceCall.Sessions, LlmGateway.Sessions.Routes.Callers);

    [Fact]
    public Task Every_route_of_Webhooks_answers_its_callers_alone() =>
        MustAnswerItsCallersAloneAsync<WebhooksDb>(ServiceCall.Webhooks, LlmGateway.Webhooks.Routes.Callers);

    [Fact]
    public Task Every_route_of_Billing_answers_its_callers_alone() =>
        MustAnswerItsCallersAloneAsync<BillingDb>(ServiceCall.Billing, LlmGateway.Billing.Routes.Callers);

    /// <summary>Public routes that write and read no body.</summary>
    static readonly string[] WithoutBody =
    [
        "POST /v1/sessions/refresh", "POST /v1/wallets/{id}/freeze", "POST /v1/wallets/{id}/unfreeze",
        "POST /v1/webhooks/{id}/end-rotation", "POST /v1/webhooks/{id}/test", "POST /v1/webhooks/{id}/deliveries/{deliveryId}/retry",
        "POST /v1/wallet/payment-method", "POST /v1/wallets/{id}/payment-method",
    ];

    [Fact]
    public Task Every_public_route_of_Sessions_names_a_member_that_it_does_not_have() =>
        MustNameUnknownMembersAsync<SessionsDb>(ServiceCall.Sessions, LlmGateway.Sessions.Routes.Callers, 8);

    [Fact]
    public Task Every_public_route_of_Wallet_names_a_member_that_it_does_not_have() =>
        MustNameUnknownMembersAsync<WalletDb>(ServiceCall.Wallet, LlmGateway.Wallet.Routes.Callers, 2);

    [Fact]
    public Task Every_public_route_of_Webhooks_names_a_member_that_it_does_not_have() =>
        MustNameUnknownMembersAsync<WebhooksDb>(ServiceCall.Webhooks, LlmGateway.Webhooks.Routes.Callers, 3);

    [Fact]
    public Task Every_public_route_of_Billing_names_a_member_that_it_does_not_have() =>
        MustNameUnknownMembersAsync<BillingDb>(ServiceCall.Billing, LlmGateway.Billing.Routes.Callers, 2);

    /// <summary>Asked by pages and packages of others, with whatever they add.</summary>
    static readonly string[] WithAnyQuery = ["GET /v1/config", "GET /v1/wallet/balance"];

    [Fact]
    public Task Every_public_list_of_Sessions_names_a_parameter_that_it_does_not_have() =>
        MustNameUnknownParametersAsync<SessionsDb>(ServiceCall.Sessions, LlmGateway.Sessions.Routes.Callers, 6);

    [Fact]
    public Task Every_public_list_of_Wallet_names_a_parameter_that_it_does_not_have() =>
        MustNameUnknownParametersAsync<WalletDb>(ServiceCall.Wallet, LlmGateway.Wallet.Routes.Callers, 3);

    [Fact]
    public Task Every_public_list_of_Webhooks_names_a_parameter_that_it_does_not_have() =>
        MustNameUnknownParametersAsync<WebhooksDb>(ServiceCall.Webhooks, LlmGateway.Webhooks.Routes.Callers, 3);

    [Fact]
    public Task Every_public_list_of_Billing_names_a_parameter_that_it_does_not_have() =>
        MustNameUnknownParametersAsync<BillingDb>(ServiceCall.Billing, LlmGateway.Billing.Routes.Callers, 13);

    static async Task MustNameUnknownParametersAsync<TEntryPoint>(string service, RouteCallers table, int atLeast)
        where TEntryPoint : class
    {
        await using var app = new Service<TEntryPoint>();
        using var http = app.CreateClient();
        var routes = table.Keys.Where(route => route.StartsWith("GET /v1/", StringComparison.Ordinal)).Except(WithAnyQuery).ToList();
        Assert.True(routes.Count >= atLeast, $"only {routes.Count} routes were found");
        foreach (var route in routes)
        {
            var caller = route.Contains(" /v1/wallet/", StringComparison.Ordinal) ? EndUser : Backend;
            var signed = Sign(new(ServiceCall.Proxy, service, caller));
            var answer = await SendAsync(http, $"{route}?misspelt=1", ServiceCall.Header, signed);
            Assert.Equal((route, HttpStatusCode.BadRequest, "misspelt"), (route, answer.Status, answer.Param));
        }
    }

    [Fact]
    public async Task Where_there_is_no_route_or_not_for_the_method_the_answer_says_so_with_the_request_s_id()
    {
        await using var app = new Service<WalletDb>();
        using var http = app.CreateClient();
        foreach (var (method, path, status, code) in ((string, string, HttpStatusCode, string)[])
        [
            ("GET", "/v1/wallet/ledger", HttpStatusCode.NotFound, "not_found"),
            ("GET", "/v1/wallets/x/disputes", HttpStatusCode.NotFound, "not_found"),
            ("DELETE", "/v1/usage/summary", HttpStatusCode.MethodNotAllowed, "method_not_allowed"),
        ])
        {
            using var request = new HttpRequestMessage(new(method), path);
            request.Headers.Add(ServiceCall.Header, Sign(new(ServiceCall.Proxy, ServiceCall.Wallet, Backend)));
            using var response = await http.SendAsync(request, Token);
            using var answer = System.Text.Json.JsonDocument.Parse(await response.Content.ReadAsStringAsync(Token));
            var error = answer.RootElement.GetProperty("error");
            Assert.Equal((path, status, code), (path, response.StatusCode, error.GetProperty("code").GetString()));
            Assert.Contains(path, error.GetProperty("message").GetString(), StringComparison.Ordinal);
            Assert.Equal(response.Headers.GetValues("X-Request-Id").Single(), answer.RootElement.GetProperty("requestId").GetString());
        }
    }

    static async Task MustNameUnknownMembersAsync<TEntryPoint>(string service, RouteCallers table, int atLeast)
        where TEntryPoint : class
    {
        await using var app = new Service<TEntryPoint>();
        using var http = app.CreateClient();
        var routes = table.Keys.Where(route => route.Split(' ') is ["POST" or "PUT" or "PATCH", var path]
            && path.StartsWith("/v1/", StringComparison.Ordinal)).Except(WithoutBody).ToList();
        Assert.True(routes.Count >= atLeast, $"only {routes.Count} routes were found");
        foreach (var route in routes)
        {
            // The one body that is a list.
            var (body, param) = route.EndsWith("/limits", StringComparison.Ordinal)
                ? ("""[{"misspelt": 1}]""", "[0].misspelt")
                : ("""{"misspelt": 1}""", "misspelt");
            var caller = route.Contains(" /v1/wallet/", StringComparison.Ordinal) ? EndUser : Backend;
            var signed = Sign(new(ServiceCall.Proxy, service, caller));
            var answer = await SendAsync(http, route, ServiceCall.Header, signed, body);
            Assert.Equal((route, HttpStatusCode.BadRequest, param), (route, answer.Status, answer.Param));
        }
    }

    static async Task MustAnswerItsCallersAloneAsync<TEntryPoint>(string service, RouteCallers table)
        where TEntryPoint : class
    {
        await using var app = new Service<TEntryPoint>();
        using var http = app.CreateClient();

        Assert.Equal(Routes(app).Order(StringComparer.Ordinal), table.Keys.Order(StringComparer.Ordinal));
        foreach (var (route, callers) in table)
        {
            foreach (var caller in Everybody)
            {
                var (status, code, _) = await SendAsync(http, route, ServiceCall.Header, Sign(new(caller, service, Backend)));
                if (callers.Contains(caller))
                    Assert.False(code is "internal_only" or "wrong_caller", $"{caller} may call {route}");
                else
                    Assert.True(status == HttpStatusCode.Forbidden && code == "wrong_caller", $"{caller} may not call {route}: {status}");
            }
            foreach (var (what, header, value) in NoSignatures(service, callers[0]))
            {
                var (status, code, _) = await SendAsync(http, route, header, value);
                Assert.True(status == HttpStatusCode.Unauthorized && code == "internal_only", $"{what}, {route}: {status}");
            }
        }
        foreach (var route in table.Keys.Where(route => route.Contains(" /v1/", StringComparison.Ordinal)))
        {
            // A route under a path that the table of permissions does not have could be called by keys that may do all, and by no other.
            var needed = Permissions.Of(route);
            Assert.True(needed is not null && Permissions.All.Contains(needed), $"{route} has no permission");
            var others = Permissions.All.Where(permission => permission != needed).ToList();
            var (status, code, _) = await SendAsync(
                http, route, ServiceCall.Header, Sign(new(ServiceCall.Proxy, service, Backend with { Permissions = others })));
            Assert.True(status == HttpStatusCode.Forbidden && code == "insufficient_permission", $"{route} without {needed}: {status}");
            (_, code, _) = await SendAsync(
                http, route, ServiceCall.Header, Sign(new(ServiceCall.Proxy, service, Backend with { Permissions = [needed] })));
            Assert.False(code == "insufficient_permission", $"{route} with {needed}");
            foreach (var (role, granted) in Roles.All.Where(one => one.Value?.Contains(needed) == false))
            {
                (status, code, _) = await SendAsync(
                    http, route, ServiceCall.Header, Sign(new(ServiceCall.Proxy, service, MemberWith(granted))));
                Assert.True(status == HttpStatusCode.Forbidden && code == "insufficient_permission", $"{route} as {role}: {status}");
            }
            await MustBeClosedToClientsAsync(http, service, route);
        }
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(http, "GET /alive", "X-Nothing", "")).Status);
    }

    static Principal MemberWith(IReadOnlyList<string>? permissions) =>
        Backend with { Kind = CredentialKind.Member, Permissions = permissions };

    /// <summary>What shows a client no more than everybody may see, what it is itself, or what is its customer's.</summary>
    static readonly string[] OpenToClients =
    [
        "GET /v1/config", "GET /v1/invoices", "GET /v1/invoices/{id}", "GET /v1/members/me", "POST /v1/members/me/tokens",
        "DELETE /v1/members/me/tokens",
    ];

    /// <summary>Also when it had every permission: of a new route nobody may forget that clients must not see it.</summary>
    static async Task MustBeClosedToClientsAsync(HttpClient http, string service, string route)
    {
        foreach (var granted in (IReadOnlyList<string>?[])[Roles.PermissionsOf(Roles.Client), null])
        {
            var client = MemberWith(granted) with { Customer = Guid.NewGuid(), Wallet = Guid.NewGuid() };
            var (status, code, _) = await SendAsync(http, route, ServiceCall.Header, Sign(new(ServiceCall.Proxy, service, client)));
            Assert.True(
                code is "insufficient_permission" or "not_found" || OpenToClients.Contains(route),
                $"{route} as a client: {status} {code}");
        }
    }

    static IEnumerable<(string What, string Header, string Value)> NoSignatures(string service, string caller)
    {
        var call = new ServiceCall(caller, service, Backend);
        var good = Sign(call);
        yield return ("unsigned", "X-Nothing", "");
        yield return ("empty", ServiceCall.Header, "");
        yield return ("no base64", ServiceCall.Header, "?");
        yield return ("cut", ServiceCall.Header, good[..^8]);
        yield return ("tampered", ServiceCall.Header, good[..^2] + (good[^2] == 'A' ? 'B' : 'A') + good[^1]);
        yield return ("other audience", ServiceCall.Header, Sign(call with { Audience = ServiceCall.Proxy }));
        yield return ("other key", ServiceCall.Header, Sign(call, key: new('x', 32)));
        yield return ("expired", ServiceCall.Header, Sign(call, TimeProvider.System.GetUtcNow() - TimedSeal.Lifetime));
        yield return ("the key itself", "X-Gateway-Internal", Key);
        yield return ("an unsigned principal", "X-Gateway-Principal", "eyJraW5kIjoic2VjcmV0S2V5In0=");
    }

    static string Sign(ServiceCall call, DateTimeOffset? at = null, string key = Key) =>
        call.Sign(ServiceCall.SealOf([KeySetting.Read(key, KeySetting.InternalKey)], new FakeTimeProvider(at ?? DateTimeOffset.UtcNow)));

    /// <summary>Status, and the code and the field of a problem.</summary>
    static async Task<(HttpStatusCode Status, string Code, string Param)> SendAsync(
        HttpClient http, string route, string header, string value, string? json = null)
    {
        var path = Parameter().Replace(route.Split(' ')[1], match => match.Value.EndsWith(":guid}", StringComparison.Ordinal)
            ? "00000000-0000-0000-0000-000000000001"
            : "x");
        using var request = new HttpRequestMessage(new(route.Split(' ')[0]), path);
        request.Headers.TryAddWithoutValidation(header, value);
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await http.SendAsync(request, Token);
        var answer = await response.Content.ReadAsStringAsync(Token);
        return (response.StatusCode, Code().Match(answer).Groups[1].Value, Param().Match(answer).Groups[1].Value);
    }

    static IEnumerable<string> Routes<TEntryPoint>(Service<TEntryPoint> app)
        where TEntryPoint : class =>
        from route in app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        where route.RoutePattern.RawText is not ("/alive" or "/health")
        from method in route.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods
        select RouteCallers.NameOf(method, route);

    /// <summary>A service's program as it is, on a server in memory. Nothing that runs beside requests is started.</summary>
    sealed class Service<TEntryPoint> : WebApplicationFactory<TEntryPoint>
        where TEntryPoint : class
    {
        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            const string nobody = "127.0.0.1:1";
            builder.UseContentRoot(AppContext.BaseDirectory).ConfigureLogging(logging => logging.ClearProviders());
            foreach (var setting in (string[])[KeySetting.InternalKey, KeySetting.MasterKey, KeySetting.Pepper])
                builder.UseSetting(setting, Key);
            foreach (var database in (string[])["wallet", "sessions", "webhooks", "billing"])
                builder.UseSetting($"ConnectionStrings:{database}", "Host=127.0.0.1;Port=1;Username=nobody;Timeout=1");
            builder.UseSetting("ConnectionStrings:redis", nobody);
            builder.UseSetting("ConnectionStrings:rabbitmq", $"amqp://{nobody}");
            foreach (var service in (string[])["wallet", "sessions", "billing"])
                builder.UseSetting($"services:{service}:http:0", $"http://{nobody}");
            builder.UseSetting(StripeModes.SandboxUrl, $"http://{nobody}");
            builder.UseSetting(StripeModes.AllowSandbox, "true");
            builder.ConfigureTestServices(services =>
            {
                foreach (var service in services.Where(service => service.ServiceType == typeof(IHostedService)).ToArray())
                    if (service.ImplementationType?.Name != "GenericWebHostService")
                        services.Remove(service);
            });
        }
    }

    [GeneratedRegex(@"\{[^}]+\}")]
    private static partial Regex Parameter();

    [GeneratedRegex("\"code\":\\s*\"(\\w+)\"")]
    private static partial Regex Code();

    [GeneratedRegex("\"param\":\\s*\"([^\"]+)\"")]
    private static partial Regex Param();
}
