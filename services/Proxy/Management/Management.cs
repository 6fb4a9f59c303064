using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.ServiceDiscovery.Http;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace LlmGateway.Proxy;

/// <summary>
/// Management calls. The edge identifies the caller, and the service behind it does the rest. The caller's credential is removed; the
/// principal goes on in a signed call.
/// </summary>
public static class Management
{
    static readonly (string Path, string Service)[] Routes =
    [
        ("/v1/sessions/{**rest}", "sessions"),
        ("/v1/customers/{**rest}", "sessions"),
        ("/v1/wallets/{**rest}", "wallet"),
        ("/v1/wallet/{**rest}", "wallet"),
        ("/v1/usage/{**rest}", "wallet"),
        ("/v1/webhooks/{**rest}", "webhooks"),
    ];

    /// <summary>
    /// The headers that services read. No other one is passed on: it might carry a credential, or claim an identity, an address
    /// (<c>X-Forwarded-*</c>) or a trace that somebody will believe.
    /// </summary>
    static readonly string[] Passed = ["Accept", "Content-Type", "Content-Length", Idempotency.HeaderName];

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static void MapManagement(this WebApplication app)
    {
        var forwarder = app.Services.GetRequiredService<IHttpForwarder>();
        // Names of services become addresses of their instances, in turn.
        var discovery = app.Services.GetRequiredService<IServiceDiscoveryHttpMessageHandlerFactory>();
        var client = new HttpMessageInvoker(discovery.CreateHandler(ServiceClients.NewHandler()));
        var options = new ForwarderRequestConfig { ActivityTimeout = Patience };
        var signing = app.Services.GetRequiredService<CallSigning>();
        var transformer = Transformer(app.Services.GetRequiredService<ITransformBuilder>());

        foreach (var (path, service) in Routes)
        {
            var address = ServiceClients.Address(service).ToString();
            app.Map(path, async (HttpContext http, Identity identity, ManagementRates rates, OwnBalance balance) =>
            {
                var (caller, problem) = await identity.IdentifyAsync(http);
                problem ??= rates.Take(caller!.Credential);
                if (problem is not null)
                {
                    await problem.ExecuteAsync(http);
                    return;
                }
                var signed = signing.Sign(service, Principal.Of(caller!.Credential));
                var ofBalance = $"{address}{OwnBalance.Path[1..]}";
                if (await balance.TryAnswerAsync(http, caller.Credential, () => AskAsync(client, ofBalance, signed)))
                    return;
                http.Items[ServiceCall.Header] = signed;
                var error = await forwarder.SendAsync(http, address, client, options, transformer);
                if (error != ForwarderError.None && !http.Response.HasStarted)
                    await Problems.WriteAsync(http, Problems.Unavailable);
            });
        }
    }

    static async Task<byte[]> AskAsync(HttpMessageInvoker client, string address, string signed)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.Add(ServiceCall.Header, signed);
        using var response = await client.SendAsync(request, patience.Token);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadAsByteArrayAsync(patience.Token);
    }

    /// <summary>What a service gets of a call: headers that it reads, and who calls, signed.</summary>
    public static HttpTransformer Transformer(ITransformBuilder builder) => builder.Create(transforms =>
    {
        transforms.UseDefaultForwarders = false;
        transforms.AddRequestHeadersAllowed(Passed);
        transforms.AddRequestTransform(context =>
        {
            context.ProxyRequest.Headers.Add(ServiceCall.Header, (string)context.HttpContext.Items[ServiceCall.Header]!);
            return default;
        });
    });
}
