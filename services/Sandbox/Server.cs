using Microsoft.Extensions.Logging.Console;
using LlmGateway.Sandbox.Stripe;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace LlmGateway.Sandbox;

/// <summary>The whole program without its start, so that a test can run it in its own process.</summary>
public static class Server
{
    public static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        builder.Logging.AddSimpleConsole(console => console.ColorBehavior = LoggerColorBehavior.Disabled);
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.AddTelemetry("sandbox");
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 32 * 1024 * 1024;
            // One call is one connection (HTTP/1.1 only), so this also bounds the calls that wait at a barrier or hang.
            kestrel.Limits.MaxConcurrentConnections = 20_000;
            kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Protocols = HttpProtocols.Http1);
            // Tests need slow callers, so the sandbox has no minimum rate.
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
        });
        // With one byte of buffer a write ends only when the socket has taken it. So pieces stay separate, a cut loses nothing that was
        // written before, and a caller who stops reading stops the generation.
        builder.WebHost.UseSockets(sockets => sockets.MaxWriteBufferSize = 1);
        builder.Services.AddHealthChecks();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<RequestLog>();
        builder.Services.AddSingleton<Barriers>();
        builder.Services.AddSingleton<CommonFault>();
        builder.Services.AddSingleton<MessageBatches>();
        builder.Services.AddSingleton<Files>();
        builder.Services.AddSingleton<Batches>();
        builder.Services.AddSingleton<CaughtMails>();
        builder.Services.AddHostedService<MailCatcher>();
        builder.AddStripe();

        var app = builder.Build();
        app.UseStripe();
        app.MapHealthChecks("/alive");
        app.MapHealthChecks("/health");

        app.MapModels();
        app.MapChatCompletions();
        app.MapResponses();
        app.MapCompletions();
        app.MapEmbeddings();
        app.MapModerations();
        app.MapImages();
        app.MapSpeech();
        app.MapTranscriptions();
        Files.Map(app);
        Batches.Map(app);
        app.MapMessages();
        MessageBatches.Map(app);
        app.MapGemini();
        app.MapHttpApi();

        app.MapControl();
        CommonFault.Map(app);
        StripeOrders.Map(app);
        app.MapMail();

        app.MapFallback(OpenAIError.NoSuchRoute);
        return app;
    }
}
