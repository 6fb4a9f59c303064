using System.Buffers;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// Converts Google's schema dialect to JSON Schema. The dialect has types in capitals, <c>nullable</c> instead of a type, counts as
/// strings, and names in two spellings.
/// </summary>
static class GeminiSchema
{
    public static string ToJsonSchema(JsonElement schema)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
            Write(json, schema);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    static void Write(Utf8JsonWriter json, JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            schema.WriteTo(json);
            return;
        }
        var nullable = schema.TryGetProperty("nullable", out var flag) && flag.ValueKind == JsonValueKind.True;
        json.WriteStartObject();
        foreach (var member in schema.EnumerateObject())
            if (member.Name != "nullable")
                WriteMember(json, GeminiFields.CamelOf(member.Name), member.Value, nullable);
        json.WriteEndObject();
    }

    static void WriteMember(Utf8JsonWriter json, string name, JsonElement value, bool nullable)
    {
        switch (name, value.ValueKind)
        {
            case ("propertyOrdering", _):
                // It tells Google's models in which order to write members. JSON Schema has no such member.
                break;
            case ("type", JsonValueKind.String):
                WriteType(json, value.GetString()!.ToLowerInvariant(), nullable);
                break;
            case ("properties" or "defs" or "$defs", JsonValueKind.Object):
                json.WriteStartObject(name);
                foreach (var property in value.EnumerateObject())
                {
                    json.WritePropertyName(property.Name);
                    Write(json, property.Value);
                }
                json.WriteEndObject();
                break;
            case ("items" or "additionalProperties", _):
                json.WritePropertyName(name);
                Write(json, value);
                break;
            case ("anyOf" or "oneOf" or "allOf" or "prefixItems", JsonValueKind.Array):
                json.WriteStartArray(name);
                foreach (var option in value.EnumerateArray())
                    Write(json, option);
                json.WriteEndArray();
                break;
            case ("minItems" or "maxItems" or "minLength" or "maxLength" or "minProperties" or "maxProperties", JsonValueKind.String)
                when long.TryParse(
                    value.GetString(),
                    System.Globalization.NumberStyles.None,
                    System.Globalization.CultureInfo.InvariantCulture,
                    out var count):
                json.WriteNumber(name, count);
                break;
            default:
                json.WritePropertyName(name);
                value.WriteTo(json);
                break;
        }
    }

    static void WriteType(Utf8JsonWriter json, string type, bool nullable)
    {
        if (type == "type_unspecified")
            return;
        if (!nullable)
        {
            json.WriteString("type", type);
            return;
        }
        json.WriteStartArray("type");
        json.WriteStringValue(type);
        json.WriteStringValue("null");
        json.WriteEndArray();
    }
}
