using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>The calls that exist.</summary>
sealed class Routes
{
    public sealed record Route(string Method, string[] Segments, Params Accepts, Func<Call, JsonObject> Run)
    {
        /// <summary>Whether a browser may call it with the publishable key.</summary>
        public bool IsPublic { get; init; }

        public IReadOnlyList<string>? Match(ReadOnlySpan<string> path)
        {
            if (path.Length != Segments.Length)
            {
                return null;
            }
            var ids = new List<string>();
            for (var i = 0; i < path.Length; i++)
            {
                if (Segments[i] == "*")
                {
                    ids.Add(path[i]);
                }
                else if (Segments[i] != path[i])
                {
                    return null;
                }
            }
            return ids;
        }
    }

    readonly Dictionary<(string Method, int Length), List<Route>> all = [];

    /// <param name="path">Like <c>/v1/customers/*</c>.</param>
    /// <param name="accepts">See <see cref="Params"/>.</param>
    public void Get(string path, string accepts, Func<Call, JsonObject> run, bool isPublic = false) =>
        Add(new("GET", path.Split('/'), Params.Of(accepts), run) { IsPublic = isPublic });

    public void Post(string path, string accepts, Func<Call, JsonObject> run, bool isPublic = false) =>
        Add(new("POST", path.Split('/'), Params.Of(accepts), run) { IsPublic = isPublic });

    public void Delete(string path, string accepts, Func<Call, JsonObject> run) =>
        Add(new("DELETE", path.Split('/'), Params.Of(accepts), run));

    /// <summary>Objects of a kind: one by its id, and pages of them.</summary>
    /// <param name="filters">Members by which a page can be filtered.</param>
    public void Read(string path, string kind, params string[] filters)
    {
        Get(path + "/*", "", call => call.Subject(kind));
        Get(path, $"created:range {string.Join(' ', filters)}{Params.Paging}", call => call.Page(kind, filters));
    }

    /// <summary>The route of a path, and what stands in its places. A path that is spelled out wins over one with places.</summary>
    public (Route Route, IReadOnlyList<string> Ids)? Find(string method, string path)
    {
        var segments = path.Split('/');
        (Route Route, IReadOnlyList<string> Ids)? best = null;
        foreach (var route in all.GetValueOrDefault((method, segments.Length), []))
        {
            if (route.Match(segments) is { } ids && !(best?.Ids.Count <= ids.Count))
            {
                best = (route, ids);
            }
        }
        return best;
    }

    void Add(Route route)
    {
        var place = (route.Method, route.Segments.Length);
        if (!all.TryGetValue(place, out var routes))
        {
            all[place] = routes = [];
        }
        routes.Add(route);
    }
}
