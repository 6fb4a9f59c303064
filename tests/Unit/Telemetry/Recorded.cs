using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>Who listens to spans listens in the whole process: tests that do run alone.</summary>
[CollectionDefinition(nameof(Recorded), DisableParallelization = true)]
public sealed class RecordedAlone;

/// <summary>All spans of our sources that end while this lives, as an exporter would get them.</summary>
sealed class Recorded : IDisposable
{
    readonly ActivitySource _edge = new("LlmGateway.Tests");
    readonly ActivityListener _listener;

    public Recorded(ActivitySamplingResult sampled = ActivitySamplingResult.AllDataAndRecorded)
    {
        _listener = new()
        {
            ShouldListenTo = source => source.Name.StartsWith("LlmGateway.", StringComparison.Ordinal),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => sampled,
            ActivityStopped = Spans.Add,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public List<Activity> Spans { get; } = [];

    /// <summary>Everything that these spans say.</summary>
    public string Text => string.Join('\n', Spans.SelectMany(span => span.TagObjects.Concat(span.Events.SelectMany(e => e.Tags))
        .Select(tag => $"{tag.Key}={Show(tag.Value)}")
        .Concat([span.DisplayName, span.StatusDescription ?? "", .. span.Baggage.Select(item => $"{item}")])));

    /// <summary>What the framework makes of a request.</summary>
    public Activity StartServer() => _edge.StartActivity("server", ActivityKind.Server, default(ActivityContext))!;

    public static IHttpActivityFeature Feature(Activity span) => new Of { Activity = span };

    /// <summary>The span of a request that another process ran.</summary>
    public static ActivityContext Remote() =>
        new(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded, null, isRemote: true);

    public void Dispose()
    {
        _listener.Dispose();
        _edge.Dispose();
    }

    static string? Show(object? value) => value is string[] several ? string.Join(',', several) : value?.ToString();

    sealed class Of : IHttpActivityFeature
    {
        public required Activity Activity { get; set; }
    }
}
