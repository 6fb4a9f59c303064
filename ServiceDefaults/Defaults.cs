using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace LlmGateway.ServiceDefaults;

/// <summary>What every process of the gateway needs: telemetry, health, errors, strict JSON. It knows nothing about money.</summary>
public static class Defaults
{
    /// <summary>Enums on the wire are names in camel case, never numbers.</summary>
    public static readonly JsonStringEnumConverter EnumsByName = new(JsonNamingPolicy.CamelCase, allowIntegerValues: false);

    /// <summary>
    /// The JSON of every internal call, message and management answer. It escapes what JSON must have escaped, so that a secret can be
    /// copied as it stands there. None of it is put into a page.
    /// </summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        AllowDuplicateProperties = false,
        MaxDepth = 32,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        NumberHandling = JsonNumberHandling.Strict,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { EnumsByName },
    };

    /// <summary>Most connections of a process. Each costs memory before anybody is identified.</summary>
    const int MaxConnections = 40_000;

    /// <param name="name">The service's name in telemetry.</param>
    /// <param name="failpoints">The service's own; see <see cref="Failpoint"/>.</param>
    public static WebApplicationBuilder AddServiceDefaults(
        this WebApplicationBuilder builder, string name, IReadOnlyDictionary<string, string> failpoints)
    {
        Failpoint.RequireKnown(failpoints);
        builder.WebHost.UseKestrelDefaults();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            // Programs read the logs, too.
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        // It logs nothing of use at these levels. While it is enabled, every request gets an activity that nobody sees.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // Its failures surface as exceptions, and many are expected: a database that does not exist yet, a lost race for a unique value.
        builder.Logging.AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Critical);
        builder.Logging.AddFilter("System.Net.Http", LogLevel.Warning);
        // The caller of the check gets the result.
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        builder.Logging.AddFilter("Yarp", LogLevel.Warning);
        // Logs each failed attempt to connect. RedisClient.cs logs the change of state instead.
        builder.Logging.AddFilter("StackExchange.Redis", LogLevel.None);
        builder.Logging.AddFilter("Npgsql", LogLevel.Critical); // as for EF Core
        builder.Logging.AddFilter("Polly", LogLevel.None); // a call that fails in the end throws at its caller
        builder.AddTelemetry(name);
        builder.Services.AddHealth();
        return builder;
    }

    /// <summary>Registers a background service that other code also calls, as one instance for both.</summary>
    public static void AddHostedSingleton<TService>(this IServiceCollection services)
        where TService : class, IHostedService
    {
        services.AddSingleton<TService>();
        services.AddHostedService(provider => provider.GetRequiredService<TService>());
    }

    /// <summary>Health and the one place where failures become HTTP. Call before mapping routes.</summary>
    public static WebApplication UseServiceDefaults(this WebApplication app)
    {
        app.UseProblems();
        app.MapHealth();
        return app;
    }

    static void UseKestrelDefaults(this IWebHostBuilder web) => web.ConfigureKestrel(kestrel =>
    {
        kestrel.AddServerHeader = false;
        // Lines of a head must end in CR LF: a server in front of us could continue where we stop.
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);
        // Readers refuse smaller bodies. Up to this size the rest of a refused body is still received, so that clients that write before
        // they read see the reason.
        kestrel.Limits.MaxRequestBodySize = 4 * Body.MaxBytes;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        // Further connections are closed at once. A proxy runs 32 768 requests; the rest are idle ones.
        kestrel.Limits.MaxConcurrentConnections = MaxConnections;
    });
}
