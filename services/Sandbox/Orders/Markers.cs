using System.Globalization;
using System.Text;

namespace LlmGateway.Sandbox;

/// <summary>
/// What the caller orders in the last user message. The markers are <c>[[tokens:N]]</c>, <c>[[say:TEXT]]</c>, <c>[[thinks:N]]</c>,
/// <c>[[cached:N]]</c>, <c>[[cachewrite:N]]</c>, <c>[[searches:N]]</c>, <c>[[flag:CATEGORY]]</c> and <c>[[group:NAME]]</c>. The first of a
/// kind counts. What cannot be read as a marker is ordinary text, as it would be for a real model. Calls of tools are in
/// <see cref="ToolOrders"/>.
/// </summary>
/// <param name="Tokens">Wished length of the answer in tokens, at most <see cref="Answer.MaxTokens"/>.</param>
/// <param name="Say">The answer itself. It ends at the first <c>]]</c>.</param>
/// <param name="Cached">How many of the prompt's tokens are reported as read from a cache.</param>
/// <param name="CacheWrite">How many of the prompt's other tokens are reported as written to a cache, where the wire can say so.</param>
/// <param name="Searches">How often the model searches the web, where the caller offers that.</param>
/// <param name="Thinks">How many tokens the model thinks before it answers. Null when that is not ordered.</param>
/// <param name="Flag">The category that a moderation finds.</param>
/// <param name="Group">Where the call waits when its model has a barrier.</param>
public sealed record Markers(
    int? Tokens,
    string? Say,
    int? Thinks,
    int Cached,
    int CacheWrite,
    int Searches,
    string? Flag,
    string Group)
{
    const string Closing = "]]";

    public static Markers Read(string text) => new(
        Number(Find(text, "tokens")),
        Find(text, "say"),
        Number(Find(text, "thinks")),
        Number(Find(text, "cached")) ?? 0,
        Number(Find(text, "cachewrite")) ?? 0,
        Number(Find(text, "searches")) ?? 0,
        Find(text, "flag"),
        Find(text, "group") ?? "");

    /// <summary>The <c>[[tag:NAME]]</c> of a request of any wire, even of one that is not JSON. Null when there is none.</summary>
    public static string? Tag(ReadOnlySpan<byte> body)
    {
        var start = body.IndexOf("[[tag:"u8);
        if (start < 0)
        {
            return null;
        }
        var name = body[(start + "[[tag:".Length)..];
        var end = name.IndexOf("]]"u8);
        return end < 0 ? null : Encoding.UTF8.GetString(name[..end]);
    }

    static string? Find(string text, string kind)
    {
        var opening = $"[[{kind}:";
        var start = text.IndexOf(opening, StringComparison.Ordinal);
        if (start < 0)
        {
            return null;
        }
        start += opening.Length;
        var end = text.IndexOf(Closing, start, StringComparison.Ordinal);
        return end < 0 ? null : text[start..end];
    }

    static int? Number(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? Math.Min(number, Answer.MaxTokens) : null;
}
