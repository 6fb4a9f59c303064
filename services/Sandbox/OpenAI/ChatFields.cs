using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>Reads members of a request by their path (<c>stream_options.include_usage</c>), with OpenAI's messages. A member that is null
/// is absent. The first failure is kept, and reading goes on with harmless values.</summary>
public sealed class ChatFields(JsonElement root)
{
    static readonly JsonElement EmptyArray = JsonElement.Parse("[]");

    public OpenAIError? Error { get; private set; }

    public void Fail(string message, string? param, string? code = null) => Error ??= OpenAIError.Invalid(message, param, code);

    public bool Has(string path) => Find(path) is not null;

    public string RequiredText(string path)
    {
        if (Text(path) is { Length: > 0 } text)
        {
            return text;
        }
        Fail($"Missing required parameter: '{path}'.", path, "missing_required_parameter");
        return "";
    }

    /// <summary>An array that must not be empty.</summary>
    public JsonElement RequiredArray(string path)
    {
        if (Array(path) is { } array && array.GetArrayLength() > 0)
        {
            return array;
        }
        Fail($"Missing required parameter: '{path}'.", path, "missing_required_parameter");
        return EmptyArray;
    }

    public JsonElement? Array(string path) => OfType(path, "an array", JsonValueKind.Array);

    /// <summary>A text, or null for anything else: some members may be text or object, such as <c>tool_choice</c>.</summary>
    public string? Text(string path) => Find(path) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    public bool Flag(string path) => OfType(path, "a boolean", JsonValueKind.True, JsonValueKind.False)?.GetBoolean() ?? false;

    public int? WholeNumber(string path, int least, int most)
    {
        if (OfType(path, "an integer", JsonValueKind.Number) is not { } number)
        {
            return null;
        }
        if (!number.TryGetInt64(out var value))
        {
            Fail($"Invalid type for '{path}': expected an integer, but got {number.GetRawText()} instead.", path, "invalid_type");
            return null;
        }
        if (value < least || value > most)
        {
            var (side, relation, bound, code) = value < least
                ? ("below minimum", ">=", least, "integer_below_min_value")
                : ("above maximum", "<=", most, "integer_above_max_value");
            Fail($"Invalid '{path}': integer {side} value. Expected a value {relation} {bound}, but got {value} instead.", path, code);
            return null;
        }
        return (int)value;
    }

    JsonElement? OfType(string path, string expected, params ReadOnlySpan<JsonValueKind> kinds)
    {
        if (Find(path) is not { } element || kinds.Contains(element.ValueKind))
        {
            return Find(path);
        }
        Fail($"Invalid type for '{path}': expected {expected}.", path, "invalid_type");
        return null;
    }

    JsonElement? Find(string path)
    {
        var element = root;
        foreach (var name in path.Split('.'))
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element))
            {
                return null;
            }
        }
        return element.ValueKind == JsonValueKind.Null ? null : element;
    }
}
