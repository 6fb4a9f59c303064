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
                    // Credentials may stand in a query (the Gemini wire); a setting that shows queries must not show those.
                    options.EnrichWithHttpRequest = (span, _) => span.SetTag("url.query", null);
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
