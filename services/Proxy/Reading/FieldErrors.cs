using System.Buffers.Text;
using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>Reads values of callers' JSON and refuses wrong ones. Every message names the field.</summary>
static class FieldErrors
{
    public static ProblemException Invalid(string path, string message) => new(Problems.Invalid(path, $"'{path}' {message}."));

    public static ProblemException Unpriceable(string path, string reason) =>
        new(Problems.Unpriceable(path, $"'{path}' cannot be priced: {reason}."));

    /// <summary>The field has no counterpart in the wire of the model's provider.</summary>
    /// <param name="wire">That wire's name.</param>
    public static ProblemException Untranslatable(string path, string wire, string? why = null) =>
        new(
            Problems.Untranslatable(
                path, $"'{path}' cannot be translated for this model, whose provider speaks {wire}{(why is null ? "" : $": {why}")}."));

    /// <summary>The field has no counterpart in any other wire, whatever the provider's.</summary>
    public static ProblemException Untranslatable(string path) => Untranslatable(path, "another wire");

    public static bool ReadBool(this in StrictJson json, string path) => json.Token switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False or JsonTokenType.Null => false,
        _ => throw Invalid(path, "must be true or false"),
    };

    public static string? ReadText(this in StrictJson json, string path) => json.Token switch
    {
        JsonTokenType.String => json.GetString(),
        JsonTokenType.Null => null,
        _ => throw Invalid(path, "must be a string"),
    };

    public static string ReadModel(this in StrictJson json, string path) =>
        json.ReadText(path) is { Length: > 0 and <= ModelRequest.MaxModelName } model
            ? model
            : throw Invalid(path, $"must be a string of 1 to {ModelRequest.MaxModelName} characters");

    /// <summary>A count that is no limit unless it can be read as one: null for everything else.</summary>
    public static int? ReadBound(this in StrictJson json) =>
        json.Token == JsonTokenType.Number && Utf8Parser.TryParse(json.Raw, out int bound, out var read) && read == json.Raw.Length
            ? bound
            : null;

    /// <summary>Accepts only digits: servers read <c>1e3</c>, <c>10.0</c> and <c>"10"</c> differently.</summary>
    public static int? ReadCount(this in StrictJson json, string path, int max, int min = 1)
    {
        if (json.Token == JsonTokenType.Null)
            return null;
        var isCount = Utf8Parser.TryParse(json.Raw, out int count, out var read) && read == json.Raw.Length && count >= min && count <= max;
        if (isCount && json.Token == JsonTokenType.Number)
            return count;
        throw Invalid(path, $"must be an integer from {min} to {max}, written in digits");
    }
}
