using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>
/// The items of what a request continues. Some clients name that and send items of it again, whole or as references. These are said once: a
/// second call of one id would have no result.
/// </summary>
sealed class SaidItems
{
    readonly HashSet<(string Type, string Id)> _ids = [];
    readonly HashSet<(string Type, string CallId, string? Name, string? Arguments)> _calls = [];

    // Calls and results by the calls' ids, which some providers use again in each turn.
    readonly Dictionary<string, (int Calls, int Results)> _open = new(StringComparer.Ordinal);

    public SaidItems(IEnumerable<JsonElement> items)
    {
        foreach (var item in items)
        {
            if (References.TextOf(item, "id") is { Length: > 0 } id)
                _ids.Add((TypeOf(item), id));
            if (References.TextOf(item, "call_id") is not null)
                _calls.Add(CallOf(item));
            Count(item);
        }
    }

    /// <summary>True for an item that has not been said. It is said from then on.</summary>
    public bool Add(JsonElement item)
    {
        // What is no object is the strict reader's to refuse.
        if (item.ValueKind != JsonValueKind.Object)
            return true;
        if (IsSaid(item))
            return false;
        Count(item);
        return true;
    }

    bool IsSaid(JsonElement item)
    {
        if (References.TextOf(item, "call_id") is { } call && IsResult(item))
            return _open.TryGetValue(call, out var seen) && seen.Results > 0 && seen.Results >= seen.Calls;
        return (References.TextOf(item, "id") is { Length: > 0 } id && _ids.Contains((TypeOf(item), id)))
            || (References.TextOf(item, "call_id") is not null && _calls.Contains(CallOf(item)));
    }

    void Count(JsonElement item)
    {
        if (References.TextOf(item, "call_id") is not { } call)
            return;
        var (calls, results) = _open.GetValueOrDefault(call);
        _open[call] = IsResult(item) ? (calls, results + 1) : (calls + 1, results);
    }

    static bool IsResult(JsonElement item) => TypeOf(item).EndsWith("_output", StringComparison.Ordinal);

    static (string, string, string?, string?) CallOf(JsonElement item) => (
        TypeOf(item), References.TextOf(item, "call_id")!, References.TextOf(item, "name"),
        (item.Find("arguments") ?? item.Find("input") ?? item.Find("action"))?.GetRawText());

    static string TypeOf(JsonElement item) => References.TextOf(item, "type") ?? "message";
}
