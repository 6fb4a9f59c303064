using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

public sealed class ConnectionsTests
{
    /// <summary>
    /// A connection costs memory before anybody is identified. A proxy runs up to 32 768 requests, each on one of its own.
    /// </summary>
    [Fact]
    public async Task Every_service_bounds_its_connections_and_has_room_for_all_requests_that_may_run()
    {
        var builder = WebApplication.CreateBuilder();
        builder.AddServiceDefaults("any", new Dictionary<string, string>());
        await using var app = builder.Build();

        var limits = app.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;

        Assert.InRange(limits.MaxConcurrentConnections!.Value, 32_768, 100_000);
    }
}
