using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.ServiceDiscovery.Http;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace LlmGateway.Proxy;

/// <summary>Passes management calls on to the gateway's services, with who calls in a signature.</summary>
public sealed class ManagementCalls : IDisposable
{
    /// <summary>
    /// The headers that services read. No other one is passed on: it might carry a credential, or claim an identity, an address
    /// (<c>X-Forwarded-*</c>) or a trace that somebody will believe.
    /// </summary>
    static readonly string[] Passed = ["Accept", "Content-Type", "Content-Length", Idempotency.HeaderName, "Stripe-Signature"];

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    static readonly ForwarderRequestConfig Options = new() { ActivityTimeout = Patience };

    readonly IHttpForwarder _forwarder;
    readonly HttpMessageInvoker _client;
    readonly HttpTransformer _transformer;
    readonly CallSigning _signing;

    public ManagementCalls(
        IHttpForwarder forwarder, IServiceDiscoveryHttpMessageHandlerFactory discovery, ITransformBuilder transforms, CallSigning signing)
    {
        (_forwarder, _signing) = (forwarder, signing);
        // Names of services become addresses of their instances, in turn.
        _client = new HttpMessageInvoker(discovery.CreateHandler(ServiceClients.NewHandler()));
        _transformer = Transformer(transforms);
    }

    public void Dispose() => _client.Dispose();

    public async Task SendAsync(HttpContext http, string service, Principal? caller)
    {
        http.Items[ServiceCall.Header] = _signing.Sign(service, caller);
        var error = await _forwarder.SendAsync(http, ServiceClients.Address(service).ToString(), _client, Options, _transformer);
        if (error != ForwarderError.None && !http.Response.HasStarted)
            await Problems.WriteAsync(http, Problems.Unavailable);
    }

    public async Task<byte[]> BalanceAsync(string service, Principal caller)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(ServiceClients.Address(service), OwnBalance.Path));
        request.Headers.Add(ServiceCall.Header, _signing.Sign(service, caller));
        using var response = await _client.SendAsync(request, patience.Token);
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
