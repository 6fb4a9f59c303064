using System.Net;
using Yarp.ReverseProxy.Configuration;

namespace LlmGateway.Edge;

/// <summary>
/// The yardstick: YARP as its documentation shows it, one route to one destination, nothing else in the pipeline, no logs.
/// </summary>
static class BareYarp
{
    public static async Task RunAsync(int port, int upstream)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var destinations = new Dictionary<string, DestinationConfig> { ["one"] = new() { Address = $"http://127.0.0.1:{upstream}" } };
        builder.Services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "all", ClusterId = "provider", Match = new RouteMatch { Path = "/{**path}" } }],
            [new ClusterConfig { ClusterId = "provider", Destinations = destinations }]);
        var app = builder.Build();
        app.MapReverseProxy();
        await app.RunAsync();
    }
}
