using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

public sealed class HealthTests
{
    const string Key = "internal-key-0123456789-0123456789", Reason = "no route to db.internal as user gateway";

    [Theory]
    [InlineData(null, "wallet", """{"status":"Unhealthy"}""")]
    [InlineData("another-key-0123456789-0123456789", "wallet", """{"status":"Unhealthy"}""")]
    [InlineData(Key, "sessions", """{"status":"Unhealthy"}""")]
    [InlineData(Key, "wallet", $$$"""{"status":"Unhealthy","checks":{"database":"{{{Reason}}}"}}""")]
    public async Task Only_a_signed_call_is_told_why_a_service_is_not_healthy(string? key, string audience, string expected)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddHealth();
        builder.Services.AddSingleton(new CallSigning(ServiceCall.Wallet, Seal(Key)));
        builder.Services.AddReadiness("database", (_, _) => throw new InvalidOperationException(Reason));
        await using var app = builder.Build();
        app.MapHealth();
        await app.StartAsync(TestContext.Current.CancellationToken);
        using var http = new HttpClient();
        if (key is not null)
            http.DefaultRequestHeaders.Add(ServiceCall.Header, new ServiceCall(ServiceCall.Operator, audience).Sign(Seal(key)));

        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        using var answer = await http.GetAsync($"{address}/health", TestContext.Current.CancellationToken);

        Assert.Equal(503, (int)answer.StatusCode);
        Assert.Equal(expected, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    static TimedSeal Seal(string key) => ServiceCall.SealOf([KeySetting.Read(key, KeySetting.InternalKey)], TimeProvider.System);
}
