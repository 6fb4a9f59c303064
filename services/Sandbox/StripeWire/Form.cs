using System.Net;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Form-encoded members with brackets (<c>items[0][price]=…</c>, <c>expand[]=…</c>) as a tree: leaves are strings.</summary>
static class Form
{
    const int MaxPairs = 2_000;
    const int MaxDepth = 8;

    /// <exception cref="Refusal">A name that is no name, too many members, or one that is both a value and an object.</exception>
    public static JsonObject Read(string encoded)
    {
        var tree = new JsonObject();
        var pairs = encoded.Split('&', StringSplitOptions.RemoveEmptyEntries);
        if (pairs.Length > MaxPairs)
        {
            throw Refusal.Invalid($"A request has at most {MaxPairs} members.");
        }
        foreach (var pair in pairs)
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var name = WebUtility.UrlDecode(equals < 0 ? pair : pair[..equals]);
            Put(tree, name, equals < 0 ? "" : WebUtility.UrlDecode(pair[(equals + 1)..]));
        }
        return tree;
    }

    /// <summary>The name of a member of a member, as Stripe writes it.</summary>
    public static string Nested(string? outer, string name) => outer is null ? name : $"{outer}[{name}]";

    static void Put(JsonObject tree, string name, string value)
    {
        var parts = name.Replace("]", "", StringComparison.Ordinal).Split('[');
        if (parts[0].Length == 0 || parts.Length > MaxDepth)
        {
            throw Refusal.Invalid($"Invalid parameter name: {name}", name);
        }
        var branch = tree;
        foreach (var part in parts[..^1])
        {
            var key = KeyIn(branch, part);
            branch[key] ??= new JsonObject();
            branch = branch[key] as JsonObject ?? throw Refusal.Invalid($"Invalid object: {name} is a value, too", name);
        }
        var last = KeyIn(branch, parts[^1]);
        if (branch[last] is JsonObject)
        {
            throw Refusal.Invalid($"Invalid object: {name} is a value, too", name);
        }
        branch[last] = value;
    }

    /// <summary>An empty bracket is the next place of a list.</summary>
    static string KeyIn(JsonObject branch, string part) => part.Length > 0 ? part : branch.Count.ToString();
}
