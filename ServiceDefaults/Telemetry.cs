using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace LlmGateway.ServiceDefaults;

/// <summary>Logs, traces and metrics over OTLP, when <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set; nothing otherwise. No prompt or answer text is ever recorded.</summary>
public static class Telemetry
{
    static readonly string[] Sources = ["Microsoft.AspNetCore", "System.Net.Http", "Npgsql", "MassTransit", "LlmGateway.*"];
    static readonly string[] Meters =
        ["Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "System.Runtime", "Npgsql", "MassTransit", "LlmGateway.*"];

    public static void AddTelemetry(this WebApplicationBuilder builder, string service)
    {
        if (string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            return;
        // .NET 10 leaves the server span empty unless told otherwise.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        var resource = ResourceBuilder.CreateDefault().AddService(service).AddEnvironmentVariableDetector();
        builder.Services.AddSingleton(_ => Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(Sources).SetSampler(new ParentBasedSampler(new NoChatter())).AddOtlpExporter().Build());
        builder.Services.AddSingleton(_ => Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(Meters).AddOtlpExporter().Build());
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.SetResourceBuilder(resource);
            logging.IncludeFormattedMessage = true;
            logging.AddOtlpExporter();
        });
        builder.Services.AddHostedService<Starter>();
    }

    /// <summary>Names each server span <c>METHOD route</c>; without the hosting package nobody else does.</summary>
    public static void UseServerSpans(this WebApplication app)
    {
        if (app.Services.GetService<TracerProvider>() is null)
            return;
        app.Use(async (http, next) =>
        {
            await next(http);
            if (Activity.Current is not { Kind: ActivityKind.Server } span)
                return;
            var route = (http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;
            span.DisplayName = route is null ? http.Request.Method : $"{http.Request.Method} {route}";
            span.SetTag("http.route", route);
            span.SetTag("http.response.status_code", http.Response.StatusCode);
            span.SetTag("llmgateway.request_id", http.RequestId());
            if (http.Response.StatusCode >= 500)
                span.SetStatus(ActivityStatusCode.Error);
        });
    }

    /// <summary>Drops what would bury the rest: health probes, and the polls of background loops (calls that nobody asked for).</summary>
    sealed class NoChatter : Sampler
    {
        public override SamplingResult ShouldSample(in SamplingParameters samplingParameters)
        {
            var isPoll = samplingParameters.Kind == ActivityKind.Client;
            var isProbe = samplingParameters.Tags?.Any(tag => tag is { Key: "url.path", Value: "/health" or "/alive" }) ?? false;
            return new(isPoll || isProbe ? SamplingDecision.Drop : SamplingDecision.RecordAndSample);
        }
    }

    /// <summary>The providers listen only once they are built; the container disposes them, which flushes the last batch.</summary>
    sealed class Starter(TracerProvider traces, MeterProvider metrics) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            GC.KeepAlive(traces);
            GC.KeepAlive(metrics);
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
