using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmGateway.Proxy.Translation;

/// <summary>Fits JSON Schemas to what providers publish of theirs.</summary>
static class JsonSchemas
{
    static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// The schema of a tool's arguments as an object with properties, which Anthropic and OpenAI demand, without alternatives at its top,
    /// which both refuse. Alternatives become one object that has the properties of all.
    /// </summary>
    public static string OfTool(string? schema)
    {
        if (Parse(schema) is not { } root)
            return """{"type":"object","properties":{}}""";
        var isFit = root["type"] is JsonValue type && type.GetValueKind() == JsonValueKind.String && type.GetValue<string>() == "object"
            && root["properties"] is JsonObject && !Array.Exists(Alternatives, root.ContainsKey);
        if (isFit)
            return schema!;
        root["type"] = "object";
        if (root["properties"] is not JsonObject)
            root["properties"] = new JsonObject();
        foreach (var member in Alternatives)
            Merge(root, member);
        return root.ToJsonString(Relaxed);
    }

    static readonly string[] Alternatives = ["allOf", "anyOf", "oneOf"];

    static void Merge(JsonObject root, string member)
    {
        if (!root.Remove(member, out var value) || value is not JsonArray options)
            return;
        List<string>? required = null;
        foreach (var option in options.OfType<JsonObject>())
        {
            foreach (var (name, property) in (option["properties"] as JsonObject)?.ToList() ?? [])
                ((JsonObject)root["properties"]!).TryAdd(name, property?.DeepClone());
            var its = NamesOf(option["required"]);
            // What every alternative demands is demanded of the whole.
            required = required is null ? its : member == "allOf" ? [.. required.Union(its)] : [.. required.Intersect(its)];
        }
        var all = NamesOf(root["required"]).Union(required ?? []).ToList();
        if (all.Count > 0)
            root["required"] = new JsonArray([.. all.Select(name => (JsonNode?)name)]);
    }

    static List<string> NamesOf(JsonNode? names) =>
        names is JsonArray list ? [.. list.OfType<JsonValue>().Select(name => name.ToString())] : [];

    /// <summary>
    /// The schema of an answer for Anthropic: every object is closed, and keywords that it refuses are gone. They only narrow what the
    /// model writes.
    /// </summary>
    public static string OfAnthropicAnswer(string schema) => Rewrite(schema, (node, isSchema) =>
    {
        if (!isSchema)
            return;
        foreach (var keyword in (ReadOnlySpan<string>)["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
            "minLength", "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties", "patternProperties"])
            node.Remove(keyword);
        if (node["minItems"] is JsonValue least && least.ToString() is not ("0" or "1"))
            node.Remove("minItems");
        if (node["type"]?.ToString() == "object" || node["properties"] is not null)
            node["additionalProperties"] = false;
    });

    /// <summary>Google's subset: keywords that it does not know make it refuse the request.</summary>
    public static string OfGemini(string schema) => Rewrite(schema, (node, isSchema) =>
    {
        if (!isSchema)
            return;
        if (node.Remove("const", out var only))
            node["enum"] = new JsonArray(only?.DeepClone());
        foreach (var keyword in node.Select(member => member.Key).Where(name => !GeminiKeywords.Contains(name)).ToList())
            node.Remove(keyword);
    });

    /// <summary>ai.google.dev/gemini-api/docs/structured-output and the reference of <c>responseJsonSchema</c>.</summary>
    static readonly HashSet<string> GeminiKeywords =
    [
        "$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems", "minItems", "maxItems",
        "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required", "propertyOrdering", "definitions",
        "minLength", "maxLength", "pattern", "default", "nullable",
    ];

    static string Rewrite(string schema, Action<JsonObject, bool> edit)
    {
        if (Parse(schema) is not { } root)
            return schema;
        Walk(root, isSchema: true, edit);
        return root.ToJsonString(Relaxed);
    }

    /// <param name="isSchema">False for an object whose members are names that the caller chose.</param>
    static void Walk(JsonNode? node, bool isSchema, Action<JsonObject, bool> edit)
    {
        if (node is JsonArray list)
            foreach (var element in list)
                Walk(element, isSchema, edit);
        if (node is not JsonObject owner)
            return;
        edit(owner, isSchema);
        foreach (var (name, value) in owner.ToList())
            if (!isSchema)
                Walk(value, true, edit);
            else if (name is not ("enum" or "default" or "required" or "const" or "examples"))
                Walk(value, name is not ("properties" or "$defs" or "definitions"), edit);
    }

    static JsonObject? Parse(string? schema)
    {
        try
        {
            return schema is null ? null : JsonNode.Parse(schema) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
