using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>A mistake in a seed file, told in one line with the file and the JSON path.</summary>
public sealed class SeedException(string message) : Exception(message);

/// <summary>A seed file that is right.</summary>
/// <param name="Json">With the values of its variables.</param>
public sealed record SeedSource(string Path, SeedFile File, byte[] Json);

/// <summary>
/// Reads seed files: expands <c>${NAME}</c>, refuses what it does not know, and checks every rule. Throws <see cref="SeedException"/>.
/// </summary>
public static partial class SeedReader
{
    public static readonly JsonSerializerOptions Json = new(Defaults.Json)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        PropertyNameCaseInsensitive = false,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { LeaveOutWhatIsComputed } },
    };

    /// <summary>What a record computes of its members is none: in a file it would be accepted and mean nothing.</summary>
    static void LeaveOutWhatIsComputed(JsonTypeInfo type)
    {
        for (var i = type.Properties.Count - 1; i >= 0; i--)
            if (type.Properties[i] is { Set: null, AssociatedParameter: null })
                type.Properties.RemoveAt(i);
    }

    /// <summary>With a second dollar before it, it is the text itself without that.</summary>
    [GeneratedRegex(@"\$?\$\{(\w*)\}")]
    private static partial Regex Variable { get; }

    /// <summary>A text that a file has as it is.</summary>
    public static string Literal(string text) => Variable.Replace(text, match => $"${match.Value}");

    [GeneratedRegex(@"(^|\.models\[\d+\]\.)providers\[\d+\]$")]
    private static partial Regex ModelProviderPath { get; }

    /// <summary>What a route sets is no secret: it is stored as it is, and shown in the audit and in exports.</summary>
    [GeneratedRegex(@"\.routes\[\d+\]\.(request|response)\.(setHeaders|setQuery)\.")]
    private static partial Regex Plain { get; }

    /// <param name="paths">One or several paths, separated by colons.</param>
    public static IReadOnlyList<SeedSource> ReadAll(string paths, Func<string, string?> environment) =>
        [.. paths.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(path => ReadFile(path, environment))];

    static SeedSource ReadFile(string path, Func<string, string?> environment)
    {
        try
        {
            var json = Expand(File.ReadAllBytes(path), environment);
            return new(path, Read(json), json);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SeedException($"seed file {path} cannot be read: {e.Message}");
        }
        catch (SeedException e)
        {
            throw new SeedException($"seed file {path}: {e.Message}");
        }
    }

    /// <summary>A seed that obeys every rule that can be checked without the database.</summary>
    public static SeedFile Read(byte[] json, Func<string, string?> environment) => Read(Expand(json, environment));

    static SeedFile Read(byte[] expanded)
    {
        var file = Deserialize(expanded);
        return SeedRules.FirstError(file) is { } error ? throw new SeedException(error) : file;
    }

    static byte[] Expand(byte[] json, Func<string, string?> environment)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new() { MaxDepth = Json.MaxDepth });
            using var expanded = new MemoryStream();
            using (var writer = new Utf8JsonWriter(expanded))
                Expand(document.RootElement, "", writer, environment);
            return expanded.ToArray();
        }
        catch (JsonException e)
        {
            throw new SeedException($"line {e.LineNumber + 1} is not valid JSON");
        }
        catch (InvalidOperationException)
        {
            throw new SeedException("a text in it is not valid Unicode"); // half a surrogate pair
        }
    }

    /// <summary>Copies a value with its variables replaced. Numbers are copied as written, so that no digit is lost.</summary>
    /// <param name="path">Where the value stands. Empty for a file, and for a model that is a call's body.</param>
    /// <param name="environment">Null: variables stay as they are.</param>
    public static void Expand(JsonElement value, string path, Utf8JsonWriter writer, Func<string, string?>? environment)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var member in value.EnumerateObject())
                {
                    writer.WritePropertyName(member.Name);
                    Expand(member.Value, path.Length == 0 ? member.Name : $"{path}.{member.Name}", writer, environment);
                }
                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var (i, item) in value.EnumerateArray().Index())
                {
                    if (item.ValueKind == JsonValueKind.Null)
                        throw new SeedException($"{path}[{i}] must not be null");
                    Expand(item, $"{path}[{i}]", writer, environment);
                }
                writer.WriteEndArray();
                break;
            case JsonValueKind.String:
                var text = value.GetString()!;
                if (environment is not null)
                    text = Variable.Replace(text, match => match.Value[1] == '$'
                        ? match.Value[1..]
                        : Plain.IsMatch(path)
                        ? throw new SeedException($"{path} must not have a variable: what a route sets is shown. A secret's place is auth")
                        : Lookup(match.Groups[1].Value, path, environment));
                if (ModelProviderPath.IsMatch(path))
                    WriteModelProvider(text, writer);
                else
                    writer.WriteStringValue(text);
                break;
            default:
                writer.WriteRawValue(value.GetRawText());
                break;
        }
    }

    /// <summary>Expands the short form of a member into an object, so that its mistakes have one path.</summary>
    static void WriteModelProvider(string id, Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("id", id);
        writer.WriteEndObject();
    }

    static string Lookup(string name, string path, Func<string, string?> environment) => environment(name) is { Length: > 0 } value
        ? value
        : throw new SeedException($"{path} needs the environment variable {name}, which is not set");

    static SeedFile Deserialize(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize<SeedFile>(json, Json) ?? throw new SeedException("the file must be a JSON object");
        }
        catch (JsonException e)
        {
            throw new SeedException(Describe(e, JsonMistake.Of(e, json, Json.GetTypeInfo(typeof(SeedFile)))));
        }
    }

    static string Describe(JsonException e, JsonMistake mistake)
    {
        var path = e.Path is { Length: > 2 } full ? full[2..] : null;
        if (mistake.Kind == JsonMistakeKind.Missing)
            return $"{(path is null ? "" : $"{path}.")}{mistake.Name} is required";
        if (path is null)
            return "the file must be a JSON object";
        return mistake.Kind switch
        {
            JsonMistakeKind.Unknown => $"{path} is not a member that seed files have",
            JsonMistakeKind.Duplicate => $"{path} is there twice",
            JsonMistakeKind.Null => $"{path} must not be null",
            _ => e is JsonValueException { Reason: var reason } ? $"{path} {reason}" : $"{path} has the wrong type or form",
        };
    }
}
