using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.ServiceDiscovery.Http;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace LlmGateway.Proxy;

/// <summary>
/// Management calls. The edge identifies the caller, and the service behind it does the rest. The caller's credential is removed; the
/// principal goes on in a signed call. A few routes are open: pages ask before they have a session, and Stripe signs what it tells.
/// </summary>
public static class Management
{
    static readonly (string Path, string Service)[] Routes =
    [
        ("/v1/sessions/{**rest}", ServiceCall.Sessions),
        ("/v1/customers/{**rest}", ServiceCall.Sessions),
        ("/v1/wallets/{**rest}", ServiceCall.Wallet),
        ("/v1/wallet/{**rest}", ServiceCall.Wallet),
        ("/v1/usage/{**rest}", ServiceCall.Wallet),
        ("/v1/webhooks/{**rest}", ServiceCall.Webhooks),
        ("/v1/wallet/top-up", ServiceCall.Billing),
        ("/v1/wallet/top-ups", ServiceCall.Billing),
        ("/v1/wallets/{id}/top-ups", ServiceCall.Billing),
        ("/v1/top-ups", ServiceCall.Billing),
        ("/v1/wallets/{id}/refunds", ServiceCall.Billing),
        ("/v1/promotions/{**rest}", ServiceCall.Billing),
        ("/v1/disputes", ServiceCall.Billing),
        ("/v1/wallet/redeem", ServiceCall.Billing),
        ("/v1/wallet/payment-method", ServiceCall.Billing),
        ("/v1/wallet/auto-top-up", ServiceCall.Billing),
        ("/v1/wallets/{id}/payment-method", ServiceCall.Billing),
        ("/v1/wallets/{id}/auto-top-up", ServiceCall.Billing),
        ("/v1/connect/{**rest}", ServiceCall.Billing),
        ("/v1/invoices/{**rest}", ServiceCall.Billing),
        ("/v1/alerts", ServiceCall.Billing),
    ];

    /// <summary>A credential that is sent is read all the same; without one the call is nobody's.</summary>
    static readonly (string Path, string Service)[] Open = [("/v1/config", ServiceCall.Billing)];

    /// <summary>From Stripe alone, which has no credential of ours. Billing checks its signature.</summary>
    static readonly (string Path, string Service)[] FromStripe =
    [
        ("/webhook/stripe", ServiceCall.Billing),
        ("/stripe/webhook", ServiceCall.Billing),
        ("/webhooks/stripe", ServiceCall.Billing),
        ("/payment-webhooks/stripe", ServiceCall.Billing),
    ];

    /// <summary>
    /// The headers that services read. No other one is passed on: it might carry a credential, or claim an identity, an address
    /// (<c>X-Forwarded-*</c>) or a trace that somebody will believe.
    /// </summary>
    static readonly string[] Passed = ["Accept", "Content-Type", "Content-Length", Idempotency.HeaderName, "Stripe-Signature"];

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
            app.Map(path, async (HttpContext http, Identity identity, ManagementRates rates, OwnBalance balance) =>
            {
                var (caller, problem) = await identity.IdentifyAsync(http);
                problem ??= rates.Take(caller!.Credential);
                if (problem is not null)
                {
                    await problem.ExecuteAsync(http);
                    return;
                }
                var principal = Principal.Of(caller!.Credential);
                if (!await balance.TryAnswerAsync(http, caller.Credential, () => BalanceAsync(service, principal)))
                    await SendAsync(http, service, principal);
            });
        foreach (var (path, service) in Open)
            app.Map(path, async (HttpContext http, Identity identity, ManagementRates rates) =>
            {
                var (caller, problem) = await identity.IdentifyAsync(http);
                problem ??= rates.Take(caller!.Credential);
                if (problem is not null && problem != Problems.NoCredential)
                    await problem.ExecuteAsync(http);
                else
                    await SendAsync(http, service, caller is null ? null : Principal.Of(caller.Credential));
            });
        foreach (var (path, service) in FromStripe)
            app.MapPost(path, (HttpContext http, RequestGate gate) =>
                gate.TryEnter(http) ? SendAsync(http, service, null) : Problems.Draining.ExecuteAsync(http));

        async Task<byte[]> BalanceAsync(string service, Principal caller)
        {
            using var patience = new CancellationTokenSource(Patience);
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(ServiceClients.Address(service), OwnBalance.Path));
            request.Headers.Add(ServiceCall.Header, signing.Sign(service, caller));
            using var response = await client.SendAsync(request, patience.Token);
            response.EnsureSuccessStatusCode();
            return await response.Content.ReadAsByteArrayAsync(patience.Token);
        }

        async Task SendAsync(HttpContext http, string service, Principal? caller)
        {
            http.Items[ServiceCall.Header] = signing.Sign(service, caller);
            var error = await forwarder.SendAsync(http, ServiceClients.Address(service).ToString(), client, options, transformer);
            if (error != ForwarderError.None && !http.Response.HasStarted)
                await Problems.WriteAsync(http, Problems.Unavailable);
        }
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
