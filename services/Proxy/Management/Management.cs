using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.ServiceDiscovery.Http;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace LlmGateway.Proxy;

/// <summary>
/// Management calls. The edge identifies the caller, and the service behind it does the rest. The caller's credential is removed; the
/// principal goes on with the internal key.
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
        ["Authorization", "X-API-Key", "x-goog-api-key", InternalCalls.KeyHeader, Principal.Header, "traceparent", "tracestate", "baggage"];

    public static void MapManagement(this WebApplication app)
    {
        var forwarder = app.Services.GetRequiredService<IHttpForwarder>();
        // Names of services become addresses of their instances, in turn.
        var discovery = app.Services.GetRequiredService<IServiceDiscoveryHttpMessageHandlerFactory>();
        var client = new HttpMessageInvoker(discovery.CreateHandler(ServiceClients.NewHandler()));
        var options = new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromSeconds(30) };
        var key = app.Services.GetRequiredService<InternalKey>().Value;
        var transformer = Transformer(app.Services.GetRequiredService<ITransformBuilder>(), key);

        foreach (var (path, service) in Routes)
        {
            var address = ServiceClients.Address(service).ToString();
            app.Map(path, async (HttpContext http, Identity identity, ManagementRates rates) =>
            {
                var (caller, problem) = await identity.IdentifyAsync(http);
                problem ??= rates.Take(caller!.Credential);
                if (problem is not null)
                {
                    await problem.ExecuteAsync(http);
                    return;
                }
                http.Items[Principal.Header] = InternalCalls.Encode(Principal.Of(caller!.Credential));
                var error = await forwarder.SendAsync(http, address, client, options, transformer);
                if (error != ForwarderError.None && !http.Response.HasStarted)
                    await Problems.WriteAsync(http, Problems.Unavailable);
            });
        }
    }
    /// <summary>What a service gets of a call.</summary>
    public static HttpTransformer Transformer(ITransformBuilder builder, string key) => builder.Create(transforms =>
    {
        transforms.AddRequestTransform(context =>
        {
            foreach (var header in Stripped)
                context.ProxyRequest.Headers.Remove(header);
            context.ProxyRequest.Headers.Add(InternalCalls.KeyHeader, key);
            context.ProxyRequest.Headers.Add(Principal.Header, (string)context.HttpContext.Items[Principal.Header]!);
            return default;
        });
    });
}
