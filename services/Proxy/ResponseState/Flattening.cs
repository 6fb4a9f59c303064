using System.Text.Json;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>
/// Puts what a request refers to into the request, so that it is read, priced, translated and sent like one whose caller had said it all.
/// </summary>
static class Flattening
{
    /// <summary>The whole conversation: what precedes the request, and its input with each reference replaced.</summary>
    /// <param name="previous">What <see cref="References.Previous"/> names.</param>
    /// <param name="found">Conversations that have the items which <see cref="References.Items"/> names, the newest first.</param>
    /// <param name="leftOut">Receives the paths of thoughts that are nowhere.</param>
    /// <returns>Each item, with the provider that encrypted it where that is known.</returns>
    /// <exception cref="ProblemException">An item that was referred to is in none of them (404).</exception>
    public static List<(JsonElement Item, string? Maker)> Flatten(
        JsonElement request, KeptConversation? previous, IReadOnlyList<KeptConversation> found, List<string> leftOut)
    {
        var items = new List<(JsonElement Item, string? Maker)>();
        items.AddRange((previous?.Items ?? []).Where(kept => References.IsSayable(kept.Item)));
        var said = previous is null ? null : new SaidItems(items.Select(kept => kept.Item));
        if (request.Find("input") is { ValueKind: JsonValueKind.String } words)
            items.Add((UserMessage(words), null));
        var known = ById(found);
        foreach (var (item, index) in References.InputOf(request).Select((item, index) => (item, index)))
        {
            if (!References.IsReference(item))
                Add((item, null));
            else if (known.TryGetValue(References.TextOf(item, "id") ?? "", out var kept))
            {
                if (References.IsSayable(kept.Item))
                    Add(kept);
            }
            else if (References.IsItemReference(item))
                throw new ProblemException(Problems.ItemNotFound($"input[{index}].id", Cut(References.TextOf(item, "id") ?? "")));
            else
                leftOut.Add($"input[{index}]");
        }
        return items;

        void Add((JsonElement Item, string? Maker) next)
        {
            if (said is null || said.Add(next.Item))
                items.Add(next);
        }
    }

    /// <summary>The request with other items as its input.</summary>
    /// <param name="isResolved">The items have what the request continues, so that it names no other response.</param>
    public static byte[] Rewrite(JsonElement request, IEnumerable<JsonElement> items, bool isResolved) => JsonPen.Write(json =>
    {
        json.WriteStartObject();
        // Only the first of two members of a name is replaced, so that the strict reader refuses the second.
        var (hasInput, isNamed) = (false, isResolved);
        foreach (var member in request.EnumerateObject())
        {
            if (member.NameEquals("input") && !hasInput)
            {
                hasInput = true;
                WriteInput(json, items);
            }
            else if (member.NameEquals("previous_response_id") && isNamed)
                isNamed = false;
            else
            {
                json.WritePropertyName(member.Name);
                json.WriteRaw(member.Value);
            }
        }
        if (!hasInput)
            WriteInput(json, items);
        json.WriteEndObject();
    });

    static void WriteInput(Utf8JsonWriter json, IEnumerable<JsonElement> items)
    {
        json.WriteStartArray("input");
        foreach (var item in items)
            json.WriteRaw(item);
        json.WriteEndArray();
    }

    /// <summary>The part of a caller's text that may stand in an answer.</summary>
    public static string Cut(string text) => text.Length <= 80 ? text : $"{text[..80]}…";

    static Dictionary<string, (JsonElement Item, string? Maker)> ById(IReadOnlyList<KeptConversation> found)
    {
        var known = new Dictionary<string, (JsonElement, string?)>(StringComparer.Ordinal);
        foreach (var kept in found.SelectMany(conversation => conversation.Items))
            if (References.TextOf(kept.Item, "id") is { } id)
                known.TryAdd(id, kept);
        return known;
    }

    static JsonElement UserMessage(JsonElement words) => FieldReading.Parse(JsonPen.Write(json =>
    {
        json.WriteStartObject();
        json.WriteString("role", "user");
        json.WritePropertyName("content");
        json.WriteRaw(words);
        json.WriteEndObject();
    }));
}
