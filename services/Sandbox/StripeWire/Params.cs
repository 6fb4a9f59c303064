using System.Globalization;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// What a call accepts, written like <c>amount:int! customer items:[{price! quantity:int}] metadata:map mode:payment|setup</c>: a member is
/// a text without a type, <c>!</c> makes it required, braces are objects, brackets lists. Everything else is refused by its name.
/// An empty text unsets a member and becomes null.
/// </summary>
sealed class Params
{
    const int MaxText = 5_000;
    const int MaxItems = 1_000;

    delegate JsonNode? Reader(JsonNode raw, string name);

    sealed record Member(Reader Read, bool IsRequired);

    static readonly Dictionary<string, Reader> Types = new()
    {
        ["text"] = Text, ["int"] = Integer, ["bool"] = Boolean, ["number"] = Number, ["map"] = Map, ["any"] = (raw, _) => raw.DeepClone(),
        ["range"] = Range,
    };

    readonly Dictionary<string, Member> members = [];

    /// <summary>What a list accepts besides its own filters.</summary>
    public const string Paging = " limit:int starting_after ending_before";

    public static Params Of(string text)
    {
        var at = 0;
        return ReadMembers(text + " expand:[text]", ref at);
    }

    /// <exception cref="Refusal">The first member that is unknown, missing or of another type.</exception>
    public JsonObject Read(JsonObject given, string? outer = null)
    {
        var read = new JsonObject();
        foreach (var (name, raw) in given)
        {
            var full = Form.Nested(outer, name);
            if (!members.TryGetValue(name, out var member))
            {
                throw Refusal.Parameter($"Received unknown parameter: {full}", full, "parameter_unknown");
            }
            if (raw is JsonValue && raw.GetValue<string>() is "")
            {
                read[name] = member.IsRequired ? throw Empty(full) : null;
            }
            else
            {
                read[name] = member.Read(raw!, full);
            }
        }
        foreach (var (name, member) in members)
        {
            if (member.IsRequired && !read.ContainsKey(name))
            {
                var full = Form.Nested(outer, name);
                throw Refusal.Parameter($"Missing required param: {full}.", full, "parameter_missing");
            }
        }
        return read;
    }

    static Params ReadMembers(string text, ref int at)
    {
        var read = new Params();
        while (true)
        {
            Skip(text, ref at);
            if (at == text.Length || text[at] == '}')
            {
                return read;
            }
            var name = Word(text, ref at);
            Reader reader = Text;
            if (at < text.Length && text[at] is ':' or '{')
            {
                at += text[at] == ':' ? 1 : 0;
                reader = ReadType(text, ref at);
            }
            var isRequired = at < text.Length && text[at] == '!';
            at += isRequired ? 1 : 0;
            read.members[name] = new(reader, isRequired);
        }
    }

    static Reader ReadType(string text, ref int at)
    {
        if (text[at] == '{')
        {
            at++;
            var inner = ReadMembers(text, ref at);
            at++;
            return (raw, name) => raw is JsonObject o ? inner.Read(o, name) : throw Refusal.Parameter("Invalid object", name);
        }
        if (text[at] == '[')
        {
            at++;
            var item = ReadType(text, ref at);
            at++;
            return (raw, name) => List(raw, name, item);
        }
        var words = Word(text, ref at).Split('|');
        return Types.GetValueOrDefault(words[0]) ?? ((raw, name) => OneOf(raw, name, words));
    }

    static void Skip(string text, ref int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
        {
            at++;
        }
    }

    static string Word(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && (char.IsLetterOrDigit(text[at]) || text[at] is '_' or '|' or '.' or '-'))
        {
            at++;
        }
        return text[start..at];
    }

    static string Leaf(JsonNode raw, string name, string type) =>
        raw is JsonValue value ? value.GetValue<string>() : throw Refusal.Parameter($"Invalid {type}: {raw.ToJsonString()}", name);

    static JsonNode Text(JsonNode raw, string name)
    {
        var text = Leaf(raw, name, "string");
        return text.Length <= MaxText ? text : throw Refusal.Parameter($"Invalid string: must be at most {MaxText} characters", name);
    }

    static JsonNode Integer(JsonNode raw, string name)
    {
        var text = Leaf(raw, name, "integer");
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw Refusal.Parameter($"Invalid integer: {text}", name, "parameter_invalid_integer");
    }

    static JsonNode Boolean(JsonNode raw, string name) => Leaf(raw, name, "boolean") switch
    {
        "true" => true,
        "false" => false,
        var text => throw Refusal.Parameter($"Invalid boolean: {text}", name),
    };

    /// <summary>A decimal number stays a text, as on the wire.</summary>
    static JsonNode Number(JsonNode raw, string name)
    {
        var text = Leaf(raw, name, "decimal");
        return decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _)
            ? text
            : throw Refusal.Parameter($"Invalid decimal: {text}; must contain at maximum twelve decimal places.", name);
    }

    static JsonNode Map(JsonNode raw, string name)
    {
        var map = raw as JsonObject ?? throw Refusal.Parameter("Invalid object", name);
        foreach (var (key, value) in map)
        {
            Metadata.Check(key, Leaf(value!, Form.Nested(name, key), "string"), name);
        }
        return map.DeepClone();
    }

    static JsonNode Range(JsonNode raw, string name) =>
        raw is JsonObject bounds ? RangeBounds.Read(bounds, name) : Integer(raw, name);

    static readonly Params RangeBounds = Of("gt:int gte:int lt:int lte:int");

    static JsonArray List(JsonNode raw, string name, Reader item)
    {
        if (raw is not JsonObject places || places.Count > MaxItems || places.Any(place => !int.TryParse(place.Key, out _)))
        {
            throw Refusal.Parameter("Invalid array", name);
        }
        var ordered = places.OrderBy(place => int.Parse(place.Key, CultureInfo.InvariantCulture));
        return [.. ordered.Select(place => item(place.Value!, Form.Nested(name, place.Key)))];
    }

    static JsonNode OneOf(JsonNode raw, string name, string[] words)
    {
        var text = Leaf(raw, name, "string");
        return words.Contains(text)
            ? text
            : throw Refusal.Parameter($"Invalid {name}: must be one of {string.Join(", ", words)}", name);
    }

    static Refusal Empty(string name) => Refusal.Parameter(
        $"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; however '{name}' cannot be "
            + $"unset. You should remove '{name}' from your request or supply a non-empty value.",
        name,
        "parameter_invalid_empty");
}
