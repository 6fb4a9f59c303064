using System.Text.Json;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Reads fields of a caller's body for translation. The body has passed the strict reader of its wire. Refusals name the field.
/// </summary>
static class FieldReading
{
    public static JsonElement Parse(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        return JsonElement.ParseValue(ref reader);
    }

    /// <summary>The member's value; null when it is absent or null, or when its owner is no object.</summary>
    public static JsonElement? Find(this JsonElement owner, string name) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    public static string Text(this JsonElement value, string path) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Invalid(path, "must be a string");

    /// <summary>A required text.</summary>
    public static string Text(this JsonElement owner, string name, string path) =>
        (owner.Find(name) ?? throw Invalid($"{path}.{name}", "is required")).Text($"{path}.{name}");

    public static bool IsText(this JsonElement value, string text) => value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

    public static bool Flag(this JsonElement value, string path) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Invalid(path, "must be true or false"),
    };

    public static Given<decimal> Decimal(this JsonElement value, string path) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number)
            ? new(number, path)
            : throw Invalid(path, "must be a number");

    public static Given<long> Integer(this JsonElement value, string path) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number)
            ? new(number, path)
            : throw Invalid(path, "must be an integer");

    /// <summary>An integer, or the nearest one that fits.</summary>
    public static Given<int> Clamped(this JsonElement value, string path) =>
        new((int)Math.Clamp(value.Integer(path).Value, int.MinValue, int.MaxValue), path);

    public static JsonElement Object(this JsonElement value, string path) =>
        value.ValueKind == JsonValueKind.Object ? value : throw Invalid(path, "must be an object");

    /// <summary>The elements of an array, each with its path.</summary>
    public static IEnumerable<(JsonElement Value, string Path)> Elements(this JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.Array)
            throw Invalid(path, "must be an array");
        var index = 0;
        foreach (var element in value.EnumerateArray())
            yield return (element, $"{path}[{index++}]");
    }

    /// <summary>Leaves out every member that is not named here; see <see cref="Unsayable"/>.</summary>
    public static void LeaveOutOthers(this JsonElement owner, string path, LeftOut left, params ReadOnlySpan<string> known)
    {
        foreach (var member in owner.Object(path).EnumerateObject())
            if (!known.Contains(member.Name))
                Unsayable.LeaveOut($"{path}.{member.Name}", member.Name, member.Value, left);
    }

    /// <summary>A mark for Anthropic's cache as JSON; null where there is none.</summary>
    public static string? CacheMark(this JsonElement owner) =>
        owner.Find("cache_control") is { ValueKind: JsonValueKind.Object } mark && mark.Find("type") is { } type && type.IsText("ephemeral")
            ? mark.Find("ttl") is { } ttl && ttl.IsText("1h") ? """{"type":"ephemeral","ttl":"1h"}""" : """{"type":"ephemeral"}"""
            : null;

    /// <summary>An image at an address or, inlined, in a data URL.</summary>
    public static ImagePart Image(string url, string path)
    {
        if (url.StartsWith("https://", StringComparison.OrdinalIgnoreCase) || url.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
            return new(null, null, url, path);
        return DataUrl.Read(url) is var (mediaType, data)
            ? new(mediaType, data, null, path)
            : throw Invalid(path, "must be an address or a data URL in base64");
    }

    /// <summary>The image in the form of the OpenAI wires: one address for both kinds.</summary>
    public static string Address(this ImagePart image) => image.Url ?? DataUrl.Of(image.MediaType, image.Base64);
}
