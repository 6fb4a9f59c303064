using System.Collections.Concurrent;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>
/// Models whose provider refused to say thoughts in encrypted form, as OpenAI does for models that do not think. They are not asked for
/// them again, so that the refusal costs one request its time and not every one.
/// </summary>
static class ThoughtlessModels
{
    /// <summary>Beyond so many all are forgotten. Names of models are the operators', not the callers'.</summary>
    const int Most = 10_000;

    static readonly ConcurrentDictionary<(string BaseUrl, string Model), bool> Known = [];

    public static bool Contains(Route route) => Known.ContainsKey(Of(route));

    public static void Add(Route route)
    {
        if (Known.Count >= Most)
            Known.Clear();
        Known[Of(route)] = true;
    }

    static (string, string) Of(Route route) => (route.Upstream.Provider.BaseUrl, route.Model.UpstreamModel);
}
