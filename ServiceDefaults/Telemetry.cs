using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenTelemetry;
using OpenTelemetry.Context.Propagation;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Logs, traces and metrics over OTLP when <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set, by OpenTelemetry's standard variables; nothing
/// otherwise.
/// </summary>
public static class Telemetry
{
    /// <summary>Our own sources and meters: <c>LlmGateway.Proxy</c>, <c>LlmGateway.Wallet</c>.</summary>
    const string Own = "LlmGateway.*";

    const string MassTransit = "MassTransit";

    static readonly (string Prefix, string Name)[] Named = [("/c/", "{session}"), ("/k/", "{key}")];

    /// <summary>
    /// What is told of a path that begins with the name of a client session, which may be a phone number, or with a key. Null where the
    /// path names nobody.
    /// </summary>
    public static string? TemplateOf(string path)
    {
        foreach (var (prefix, name) in Named)
            if (path.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                return path.IndexOf('/', prefix.Length) is > 0 and var rest ? prefix + name + path[rest..] : prefix + name;
        return null;
    }

    /// <param name="service">The name when <c>OTEL_SERVICE_NAME</c> says nothing.</param>
    public static void AddTelemetry(this WebApplicationBuilder builder, string service)
    {
        if (string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            return;
        // The sampler needs the path of a request, which .NET 10 gives it only when told to.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        // The framework reads and writes traceparent itself. Any other propagator reads the headers again, and would undo what an edge
        // decided about them.
        Sdk.SetDefaultTextMapPropagator(new TraceContextPropagator());
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(service).AddEnvironmentVariableDetector())
            .WithTracing(traces => traces
                .SetSampler(new WithoutChatter(Sampling.Of(builder.Configuration)))
                .AddSource(Own, MassTransit)
                .AddNpgsql()
                .AddAspNetCoreInstrumentation(options =>
                {
                    options.EnrichWithHttpRequest = (span, request) =>
                    {
                        // Credentials may stand in a query (the Gemini wire); a setting that shows queries must not show those.
                        span.SetTag("url.query", null);
                        if (TemplateOf(request.Path.Value ?? "") is { } template)
                            span.SetTag("url.path", template);
                    };
                    options.EnrichWithHttpResponse = (span, response) =>
                        span.SetTag("llmgateway.request_id", response.HttpContext.RequestId());
                })
                .AddHttpClientInstrumentation())
            .WithMetrics(metrics => metrics
                .AddMeter(Own, MassTransit)
                .AddNpgsqlInstrumentation()
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation())
            .WithLogging(null, logs => logs.IncludeFormattedMessage = true)
            .UseOtlpExporter();
    }
}
