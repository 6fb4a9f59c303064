using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using OpenTelemetry.Trace;

namespace LlmGateway.ServiceDefaults;

/// <summary>Decides which traces are recorded, as <c>OTEL_TRACES_SAMPLER</c> and its <c>_ARG</c> say.</summary>
public static class Sampling
{
    /// <summary>The sampler that the variable names. Without it all traces are recorded, as OpenTelemetry specifies.</summary>
    /// <exception cref="InvalidOperationException">The variable names no sampler.</exception>
    public static Sampler Of(IConfiguration configuration) => configuration["OTEL_TRACES_SAMPLER"] switch
    {
        null or "" or "parentbased_always_on" => new ParentBasedSampler(new AlwaysOnSampler()),
        "parentbased_always_off" => new ParentBasedSampler(new AlwaysOffSampler()),
        "parentbased_traceidratio" => new ParentBasedSampler(new TraceIdRatioBasedSampler(Ratio(configuration))),
        "always_on" => new AlwaysOnSampler(),
        "always_off" => new AlwaysOffSampler(),
        "traceidratio" => new TraceIdRatioBasedSampler(Ratio(configuration)),
        var other => throw new InvalidOperationException($"OTEL_TRACES_SAMPLER is '{other}', which is no sampler"),
    };

    static double Ratio(IConfiguration configuration) => configuration["OTEL_TRACES_SAMPLER_ARG"] is not { Length: > 0 } text ? 1
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var ratio) && ratio is >= 0 and <= 1 ? ratio
        : throw new InvalidOperationException($"OTEL_TRACES_SAMPLER_ARG is '{text}', which is no number from 0 to 1");
}

/// <summary>
/// Asks another sampler, except where the answer follows from what the span belongs to. It drops probes and polls, which would bury the
/// rest.
/// </summary>
public sealed class WithoutChatter(Sampler asked) : Sampler
{
    static readonly SamplingResult Drop = new(SamplingDecision.Drop), Record = new(SamplingDecision.RecordAndSample);

    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters)
    {
        var parent = samplingParameters.ParentContext;
        // A parent is always a span of ours, because the edge ignores a caller's. If it was dropped (a poll, for instance), this one is
        // dropped, too.
        if (parent != default && !IsRecorded(parent))
            return Drop;
        if (parent != default)
            return parent.IsRemote ? asked.ShouldSample(samplingParameters) : Record;
        // A step that many requests share is recorded when one of them is.
        if (samplingParameters.Links is { } links && links.Any(link => IsRecorded(link.Context)))
            return Record;
        // A call that belongs to no request is a background loop's poll.
        if (samplingParameters.Kind == ActivityKind.Client || IsProbe(samplingParameters))
            return Drop;
        return asked.ShouldSample(samplingParameters);
    }

    static bool IsRecorded(ActivityContext context) => (context.TraceFlags & ActivityTraceFlags.Recorded) != 0;

    /// <summary>
    /// True for a health check. ASP.NET's tags are a list and are read by index, because an enumerator would be one more object for each
    /// request.
    /// </summary>
    static bool IsProbe(in SamplingParameters parameters)
    {
        if (parameters is not { Kind: ActivityKind.Server, Tags: IReadOnlyList<KeyValuePair<string, object?>> tags })
            return false;
        for (var i = 0; i < tags.Count; i++)
            if (tags[i] is { Key: "url.path", Value: "/health" or "/alive" })
                return true;
        return false;
    }
}
