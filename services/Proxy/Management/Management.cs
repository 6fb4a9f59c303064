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
    ];

    /// <summary>Headers that carry credentials, or claim an identity or a trace. They are never passed on.</summary>
    static readonly string[] Stripped =
        ["Authorization", "X-API-Key", "x-goog-api-key", ServiceCall.Header, "traceparent", "tracestate", "baggage"];

    public static void MapManagement(this WebApplication app)
    {
        var forwarder = app.Services.GetRequiredService<IHttpForwarder>();
        // Names of services become addresses of their instances, in turn.
        var discovery = app.Services.GetRequiredService<IServiceDiscoveryHttpMessageHandlerFactory>();
        var client = new HttpMessageInvoker(discovery.CreateHandler(ServiceClients.NewHandler()));
        var options = new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromSeconds(30) };
        var signing = app.Services.GetRequiredService<CallSigning>();
        var transformer = app.Services.GetRequiredService<ITransformBuilder>().Create(transforms =>
        {
            transforms.AddRequestTransform(context =>
            {
                foreach (var header in Stripped)
                    context.ProxyRequest.Headers.Remove(header);
                context.ProxyRequest.Headers.Add(ServiceCall.Header, (string)context.HttpContext.Items[ServiceCall.Header]!);
                return default;
            });
        });

        foreach (var (path, service) in Routes)
        {
            var address = ServiceClients.Address(service).ToString();
            app.Map(path, async (HttpContext http, Identity identity) =>
            {
                var (caller, problem) = await identity.IdentifyAsync(http);
                if (problem is not null)
                {
                    await problem.ExecuteAsync(http);
                    return;
                }
                http.Items[ServiceCall.Header] = signing.Sign(service, Principal.Of(caller!.Credential));
                var error = await forwarder.SendAsync(http, address, client, options, transformer);
                if (error != ForwarderError.None && !http.Response.HasStarted)
                    await Problems.WriteAsync(http, Problems.Unavailable);
            });
        }
    }
}
