using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>What one message says, whatever the wire.</summary>
/// <param name="Text">Its text parts, each on a line.</param>
public readonly record struct Said(int Tokens, string Text)
{
    /// <summary>What any part of a message costs that is not text, such as an image.</summary>
    public const int TokensOfOtherParts = 85;

    public static Said Nothing { get; } = new(0, "");

    public static Said OtherPart { get; } = new(TokensOfOtherParts, "");

    public static Said OfText(string text) => new(Words.Count(text), text);

    /// <summary>
    /// Reads a text, or parts of which each is a text or costs as <paramref name="other"/> says. Anything else says nothing.
    /// </summary>
    public static Said Of(JsonElement? content, Func<JsonElement, Said>? other = null) => content switch
    {
        { ValueKind: JsonValueKind.String } text => OfText(text.GetString()!),
        { ValueKind: JsonValueKind.Array } parts => All(parts.EnumerateArray().Select(part =>
            part.TextMember("text") is { } text ? OfText(text) : other is null ? OtherPart : other(part))),
        _ => Nothing,
    };

    /// <summary>How many of the parts are so. A text has none.</summary>
    public static int Count(JsonElement content, Func<JsonElement, bool> isSo) =>
        content.ValueKind == JsonValueKind.Array ? content.EnumerateArray().Count(isSo) : 0;

    public static Said All(IEnumerable<Said> parts)
    {
        var all = parts.ToArray();
        return new(all.Sum(part => part.Tokens), string.Join('\n', all.Select(part => part.Text).Where(text => text.Length > 0)));
    }
}

/// <summary>Members of elements that may be of any kind.</summary>
public static class Members
{
    public static JsonElement? AnyMember(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) ? member : null;

    public static string? TextMember(this JsonElement element, string name) =>
        element.AnyMember(name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
}
