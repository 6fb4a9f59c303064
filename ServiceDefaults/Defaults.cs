using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace LlmGateway.ServiceDefaults;

/// <summary>What every process of the gateway needs: telemetry, health, errors, strict JSON. Knows nothing about money.</summary>
public static class Defaults
{
    /// <summary>Enums on the wire are names in camel case, never numbers.</summary>
    public static readonly JsonStringEnumConverter EnumsByName = new(JsonNamingPolicy.CamelCase, allowIntegerValues: false);

    /// <summary>The JSON of every internal call, message and management answer.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        AllowDuplicateProperties = false,
        MaxDepth = 32,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        NumberHandling = JsonNumberHandling.Strict,
        Converters = { EnumsByName },
    };

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
            (console.SingleLine, console.UseUtcTimestamp, console.TimestampFormat) = (true, true, "yyyy-MM-ddTHH:mm:ss.fffZ ");
            // Whoever reads it is a program as often as a person.
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        // It has nothing to say at these levels, and while it may speak every request gets an activity that nobody sees.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // What fails there surfaces as an exception, and many of those are expected: a database that is not created yet, a lost race for a unique value.
        builder.Logging.AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Critical);
        builder.Logging.AddFilter("System.Net.Http", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None); // who asks gets the answer
        builder.Logging.AddFilter("Yarp", LogLevel.Warning);
        builder.Logging.AddFilter("StackExchange.Redis", LogLevel.None); // says at every attempt to connect that it failed; see Redis.cs
        builder.Logging.AddFilter("Npgsql", LogLevel.Critical); // as above
        builder.Logging.AddFilter("Polly", LogLevel.None); // what fails in the end fails where the call was made
        builder.AddTelemetry(name);
        builder.Services.AddHealth();
        return builder;
    }

    /// <summary>A service that runs in the background and that others call, too: one instance for both.</summary>
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

    static void UseKestrelDefaults(this Microsoft.AspNetCore.Hosting.IWebHostBuilder web) => Microsoft.AspNetCore.Hosting.WebHostBuilderKestrelExtensions.ConfigureKestrel(web, kestrel =>
    {
        kestrel.AddServerHeader = false;
        // A head's lines end in CR LF and nothing else: what is in front of us may read on where we stop.
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);
        // Readers refuse earlier. Up to here the rest of a refused body is still taken in, so that clients that write before they read learn why.
        kestrel.Limits.MaxRequestBodySize = 4 * Body.MaxBytes;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
    });
}
