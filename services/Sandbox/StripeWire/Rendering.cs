using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// An object as it is shown: a copy without the sandbox's own members, with the relations that were asked for in place of ids.
/// </summary>
static class Rendering
{
    const int MaxDepth = 4;

    /// <summary>As Stripe writes what it sends.</summary>
    public static readonly JsonSerializerOptions Readable = new() { WriteIndented = true };

    public static JsonObject Shown(this JsonObject o)
    {
        var shown = new JsonObject();
        foreach (var (name, value) in o)
        {
            if (name[0] != '_')
            {
                shown[name] = Copy(value);
            }
        }
        return shown;
    }

    /// <exception cref="Refusal">A path that is too deep or leads to what is no relation.</exception>
    public static JsonObject Expanded(this JsonObject o, Account account, IEnumerable<string> paths)
    {
        var shown = o.Shown();
        foreach (var path in paths)
        {
            var steps = path.Split('.');
            if (steps.Length > MaxDepth + (steps[0] == "data" ? 1 : 0))
            {
                throw Refusal.Invalid($"You cannot expand more than {MaxDepth} levels of a property. Property: {path}", "expand");
            }
            Expand(shown, o, account, steps, path);
        }
        return shown;
    }

    static JsonNode? Copy(JsonNode? value) => value switch
    {
        JsonObject inner => inner.Shown(),
        JsonArray items => new JsonArray([.. items.Select(Copy)]),
        _ => value?.DeepClone(),
    };

    static void Expand(JsonObject shown, JsonObject? source, Account account, ReadOnlySpan<string> steps, string path)
    {
        var name = steps[0];
        if (source?["_" + name] is { } hidden)
        {
            shown[name] ??= Copy(hidden);
        }
        if (!shown.TryGetPropertyValue(name, out var value))
        {
            throw Refusal.Invalid($"This property cannot be expanded ({path}).", "expand");
        }
        if (value is JsonArray items)
        {
            for (var i = 0; i < items.Count; i++)
            {
                items[i] = Followed(items[i], account, steps, path);
            }
        }
        else
        {
            shown[name] = Followed(value, account, steps, path);
        }
    }

    /// <summary>The value itself, or what its id means, with the rest of the path expanded within.</summary>
    static JsonObject? Followed(JsonNode? value, Account account, ReadOnlySpan<string> steps, string path)
    {
        if (value is null)
        {
            return null;
        }
        JsonObject? source = null;
        if (value is JsonValue && value.GetValueKind() == JsonValueKind.String)
        {
            source = account.Related(value.GetValue<string>())
                ?? throw Refusal.Invalid($"This property cannot be expanded ({path}).", "expand");
        }
        var target = source?.Shown() ?? (value.Parent is null ? value : value.DeepClone()) as JsonObject
            ?? throw Refusal.Invalid($"This property cannot be expanded ({path}).", "expand");
        if (steps.Length > 1)
        {
            Expand(target, source ?? (target.Text("id") is { } id ? account.Related(id) : null), account, steps[1..], path);
        }
        return target;
    }
}
