using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>Rules for single fields of requests. Each throws a 400 that names the field by its path.</summary>
public static class Fields
{
    public const int MaxText = 255, MaxEmail = 254, MaxModels = 200;

    /// <summary>A text of 1 to 255 characters without control characters.</summary>
    public static string Text(string? value, string path) => TextError(value) is { } reason ? throw Invalid(path, reason) : value!;

    /// <summary>What is wrong with a text, or null.</summary>
    public static string? TextError(string? value)
    {
        if (string.IsNullOrWhiteSpace(value))
            return "must not be empty";
        if (value.Length > MaxText)
            return $"may have at most {MaxText} characters";
        return value.Any(char.IsControl) ? "must not have control characters" : null;
    }

    /// <summary>The text of a JSON member, null for null and for what is absent.</summary>
    public static string? Text(JsonElement? value, string path)
    {
        if (value is not { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } given)
            return null;
        if (given.ValueKind != JsonValueKind.String)
            throw Invalid(path, "must be a string");
        try
        {
            return Text(given.GetString(), path);
        }
        catch (InvalidOperationException)
        {
            throw Invalid(path, "must be valid Unicode"); // half a surrogate pair
        }
    }

    public static string? Email(JsonElement? value, string path) =>
        Text(value, path) is not { } email ? null : IsEmail(email) ? email : throw Invalid(path, "must be an e-mail address");

    /// <summary>Something before one @ and a dotted name after it. Whether mail arrives is not checked.</summary>
    public static bool IsEmail(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var domain = text.AsSpan(at + 1);
        return at > 0 && text.Length <= MaxEmail && !text.Any(char.IsWhiteSpace) && !domain.Contains('@')
            && domain.IndexOf('.') > 0 && !domain.EndsWith('.') && !domain.Contains("..", StringComparison.Ordinal);
    }

    /// <summary>A model scope: null allows all, an empty list none.</summary>
    public static List<string>? Models(IReadOnlyList<string>? models, string path)
    {
        if (models?.Count > MaxModels)
            throw Invalid(path, $"may have at most {MaxModels} models");
        return models?.Select((model, i) => Text(model, $"{path}[{i}]")).Distinct().ToList();
    }

    /// <summary>A number above 0, or none.</summary>
    public static void MustBeCount(int? value, string path)
    {
        if (value <= 0)
            throw Invalid(path, "must be above 0");
    }

    public static ProblemException Invalid(string path, string reason) => new(Problems.Invalid(path, $"'{path}' {reason}."));
}
