using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// Where Stripe is: at the root of a port of its own (setting <c>Stripe:Port</c>), because Stripe's npm package knows hosts and ports only,
/// and under <c>/stripe</c> on every port.
/// </summary>
static class StripeServer
{
    public static void AddStripe(this WebApplicationBuilder builder)
    {
        if (builder.Configuration.GetValue<int?>("Stripe:Port") is { } port)
        {
            var others = builder.Configuration[WebHostDefaults.ServerUrlsKey] ?? "http://127.0.0.1:5000";
            builder.WebHost.UseUrls([.. others.Split(';'), $"http://127.0.0.1:{port}"]);
        }
        builder.Services.AddHostedSingleton<Outbox>();
        builder.Services.AddHostedSingleton<Worlds>();
        builder.Services.AddSingleton<StripeCalls>();
        builder.Services.AddSingleton<StripePages>();
    }

    public static void UseStripe(this WebApplication app)
    {
        var port = app.Configuration.GetValue<int?>("Stripe:Port");
        var calls = app.Services.GetRequiredService<StripeCalls>();
        var pages = app.Services.GetRequiredService<StripePages>();
        app.Use(async (http, next) =>
        {
            if (http.Request.Path.StartsWithSegments("/stripe", out var rest))
            {
                http.Request.PathBase = http.Request.PathBase.Add("/stripe");
                http.Request.Path = rest;
            }
            else if (port is null || http.Connection.LocalPort != port || http.Request.Path.StartsWithSegments("/sandbox"))
            {
                await next(http);
                return;
            }
            if (HttpMethods.IsOptions(http.Request.Method))
            {
                http.Response.Headers.AccessControlAllowOrigin = "*";
                http.Response.Headers.AccessControlAllowHeaders = "*, Authorization";
                http.Response.Headers.AccessControlAllowMethods = "GET, POST, DELETE";
                http.Response.StatusCode = StatusCodes.Status204NoContent;
            }
            else if (http.Request.Path.StartsWithSegments("/v1"))
            {
                await calls.HandleAsync(http);
            }
            else
            {
                await pages.HandleAsync(http);
            }
        });
    }
}
