using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>What a Responses request refers to instead of saying it.</summary>
/// <param name="Previous"><c>previous_response_id</c>; the conversation that ends with this response precedes the input.</param>
/// <param name="Items">Ids of items that stand in the input by their ids alone.</param>
/// <param name="Stores">The answer is to be kept, which is the default.</param>
sealed record References(string? Previous, IReadOnlyList<string> Items, bool Stores)
{
    public bool IsEmpty => Previous is null && Items.Count == 0;

    /// <exception cref="InvalidOperationException">A string has half a surrogate pair or is no UTF-8.</exception>
    public static References Read(JsonElement request) => new(
        TextOf(request, "previous_response_id"),
        [.. InputOf(request).Where(IsReference).Select(item => TextOf(item, "id") ?? "")],
        request.Find("store") is not { ValueKind: JsonValueKind.False });

    /// <summary>The items of an input that is an array.</summary>
    public static IEnumerable<JsonElement> InputOf(JsonElement request) =>
        request.Find("input") is { ValueKind: JsonValueKind.Array } input ? input.EnumerateArray() : [];

    /// <summary>The item is a reference, or a thought whose words only its keeper has.</summary>
    public static bool IsReference(JsonElement item) => IsItemReference(item) || (IsThought(item) && !IsSealed(item) && !HasWords(item));

    /// <summary>The type may be left out; then nothing but the id is there.</summary>
    public static bool IsItemReference(JsonElement item) => item.ValueKind == JsonValueKind.Object
        && (item.Find("type") is { } type
            ? type.IsText("item_reference")
            : item.Find("id") is not null && item.Find("role") is null && item.Find("content") is null);

    public static bool IsThought(JsonElement item) => item.Find("type") is { } type && type.IsText("reasoning");

    /// <summary>The item has its encrypted text with it, as thoughts have.</summary>
    public static bool IsSealed(JsonElement item) => TextOf(item, "encrypted_content") is { Length: > 0 };

    /// <summary>The thought is there in plain words, as open models give it. A summary is not the thought.</summary>
    static bool HasWords(JsonElement item) =>
        item.Find("content") is { ValueKind: JsonValueKind.Array } words && words.GetArrayLength() > 0;

    /// <summary>False for a thought without its text, which is nothing to any provider.</summary>
    public static bool IsSayable(JsonElement item) => IsSealed(item) || !IsThought(item) || HasWords(item);

    public static string? TextOf(JsonElement owner, string name) =>
        owner.Find(name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
}
