using System.Text.Json;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// What a request asked for and the provider could not be told, by the members' own names. It changes neither the cost nor the meaning of
/// the answer; see <see cref="Unsayable"/> for what does. The caller reads the names in <see cref="Ignored"/>.
/// </summary>
public sealed class LeftOut
{
    readonly List<string> _names = [];

    public IReadOnlyList<string> Names => _names;

    /// <param name="field">A member with or without its path: of <c>generationConfig.topK</c> the caller is told <c>topK</c>.</param>
    public void Add(string field)
    {
        var name = field[(field.LastIndexOf('.') + 1)..];
        if (!_names.Contains(name))
            _names.Add(name);
    }

    /// <summary>Adds a member unless its value says nothing.</summary>
    public void Add(string field, JsonElement value)
    {
        if (Says(value))
            Add(field);
    }

    /// <summary>False for null, false and what is empty: a request means the same without it.</summary>
    public static bool Says(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False or JsonValueKind.Undefined => false,
        JsonValueKind.String => value.GetString()!.Length > 0,
        JsonValueKind.Array => value.GetArrayLength() > 0,
        JsonValueKind.Object => value.EnumerateObject().Any(),
        _ => true,
    };
}
