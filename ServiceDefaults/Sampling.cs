using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using OpenTelemetry.Trace;

namespace LlmGateway.ServiceDefaults;

/// <summary>Which traces are recorded: what <c>OTEL_TRACES_SAMPLER</c> and its <c>_ARG</c> say, without what would bury the rest.</summary>
public static class Sampling
{
    /// <summary>All traces when the variable is not set, as OpenTelemetry has it.</summary>
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

/// <summary>Asks another sampler, except where the answer follows from what the span belongs to.</summary>
public sealed class WithoutChatter(Sampler asked) : Sampler
{
    static readonly SamplingResult Drop = new(SamplingDecision.Drop), Record = new(SamplingDecision.RecordAndSample);

    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters)
    {
        var parent = samplingParameters.ParentContext;
        // Parents are spans of ours: at the edge a caller's is none. What was dropped there, a poll say, stays dropped here.
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

    /// <summary>ASP.NET's tags are a list. By index, because its enumerator would be an object more for each request.</summary>
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
