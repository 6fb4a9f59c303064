using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// Members of objects, which are JSON as it goes over the wire. Members whose names begin with an underscore are the sandbox's own and
/// never shown.
/// </summary>
static class Fields
{
    public static JsonObject Shape(string json) => (JsonObject)JsonNode.Parse(json)!;

    public static string? Text(this JsonObject o, string name) => o[name] is JsonValue value ? value.GetValue<string>() : null;

    public static string Id(this JsonObject o) => o.Text("id")!;

    public static string Status(this JsonObject o) => o.Text("status")!;

    public static long Long(this JsonObject o, string name) => o.MaybeLong(name) ?? 0;

    public static long? MaybeLong(this JsonObject o, string name) => o[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue<long>(out var number) => number,
        var node => node.GetValue<int>(),
    };

    public static bool Is(this JsonObject o, string name) => o[name] is JsonValue value && value.GetValueKind() == JsonValueKind.True;

    public static JsonObject? Object(this JsonObject o, string name) => o[name] as JsonObject;

    public static IReadOnlyList<JsonNode> Items(this JsonObject o, string name) => o[name] is JsonArray items ? [.. items!] : [];

    /// <summary>Puts a copy, because a node of JSON has one parent.</summary>
    public static void Put(this JsonObject o, string name, JsonNode? value) => o[name] = value?.Parent is null ? value : value.DeepClone();

    /// <summary>Copies the members that were given; those that were unset become null.</summary>
    public static void Take(this JsonObject o, JsonObject given, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (given.TryGetPropertyValue(name, out var value))
            {
                o[name] = value?.DeepClone();
            }
        }
    }

    /// <summary>Like <see cref="Take"/>, and one level deeper: members of an object that were not given stay.</summary>
    public static void Merge(this JsonObject o, JsonObject given, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (given[name] is JsonObject inner && o[name] is JsonObject target)
            {
                foreach (var (key, value) in inner)
                {
                    target.Put(key, value);
                }
            }
            else
            {
                o.Take(given, name);
            }
        }
    }

    public static JsonObject ListOf(IEnumerable<JsonNode> items, string url, bool hasMore = false) => new()
    {
        ["object"] = "list",
        ["data"] = new JsonArray([.. items]),
        ["has_more"] = hasMore,
        ["url"] = url,
    };
}
