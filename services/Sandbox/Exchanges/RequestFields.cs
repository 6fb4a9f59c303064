using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>Why a request cannot be answered, in OpenAI's words. Each wire puts it into its own error.</summary>
/// <param name="Param">The path of the member at fault. Null when it is the body.</param>
public sealed record BadField(string Message, string? Param, string? Code = null);

/// <summary>Reads members of a request by their path (<c>stream_options.include_usage</c>). A member that is null is absent. The first
/// failure is kept, and reading goes on with harmless values.</summary>
public sealed class RequestFields(JsonElement root)
{
    static readonly JsonElement EmptyArray = JsonElement.Parse("[]");

    public BadField? Bad { get; private set; }

    /// <summary>Reads a body. One of the two results is null. Nothing of the fields may outlive the reading.</summary>
    public static (T? Request, BadField? Bad) Read<T>(ReadOnlyMemory<byte> body, Func<RequestFields, T> read) where T : class
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var fields = new RequestFields(document.RootElement);
            var request = read(fields);
            return fields.Bad is null ? (request, null) : (null, fields.Bad);
        }
        // A lone surrogate or broken UTF-8 inside a string shows only when the string is read, as InvalidOperationException.
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return (null, new("We could not parse the JSON body of your request. The API expects a JSON payload.", null));
        }
    }

    public void Fail(string message, string? param, string? code = null) => Bad ??= new(message, param, code);

    public void Miss(string path) => Fail($"Missing required parameter: '{path}'.", path, "missing_required_parameter");

    public bool Has(string path) => Find(path) is not null;

    /// <summary>A member of any kind.</summary>
    public JsonElement? Any(string path) => Find(path);

    public string RequiredText(string path)
    {
        if (Text(path) is { Length: > 0 } text)
        {
            return text;
        }
        Miss(path);
        return "";
    }

    /// <summary>An array that must not be empty.</summary>
    public JsonElement RequiredArray(string path)
    {
        if (Array(path) is { } array && array.GetArrayLength() > 0)
        {
            return array;
        }
        Miss(path);
        return EmptyArray;
    }

    public JsonElement? Array(string path) => OfType(path, "an array", JsonValueKind.Array);

    /// <summary>A text, or null for anything else. Some members may be text or object, such as <c>tool_choice</c>.</summary>
    public string? Text(string path) => Find(path) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    /// <summary>One text or an array of texts, without the empty ones.</summary>
    public IReadOnlyList<string> Texts(string path)
    {
        string?[] texts = Find(path) switch
        {
            { ValueKind: JsonValueKind.String } text => [text.GetString()],
            { ValueKind: JsonValueKind.Array } array => [.. array
                .EnumerateArray()
                .Where(item => item.ValueKind == JsonValueKind.String)
                .Select(item => item.GetString())],
            _ => [],
        };
        return [.. texts.OfType<string>().Where(text => text.Length > 0)];
    }

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
