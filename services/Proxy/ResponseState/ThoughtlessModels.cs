using System.Collections.Concurrent;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>
/// Models whose provider refused to say thoughts in encrypted form, as OpenAI does for models that do not think. They are not asked for
/// them again for a while, so that the refusal costs one request its time and not every one. What one project's connection refuses says
/// nothing of another's.
/// </summary>
public sealed class ThoughtlessModels(TimeProvider time)
{
    public static readonly TimeSpan Life = TimeSpan.FromHours(1);

    /// <summary>Beyond so many all are forgotten. Names of models are the operators', not the callers'.</summary>
    const int Most = 10_000;

    readonly ConcurrentDictionary<(Guid Project, string Provider, string Model), long> _known = [];

    public bool Contains(Guid project, Route route) =>
        _known.TryGetValue(Of(project, route), out var since) && time.GetElapsedTime(since) < Life;

    public void Add(Guid project, Route route)
    {
        if (_known.Count >= Most)
            _known.Clear();
        _known[Of(project, route)] = time.GetTimestamp();
    }

    static (Guid, string, string) Of(Guid project, Route route) => (project, route.Upstream.Provider.Id, route.Model.UpstreamModel);
}
