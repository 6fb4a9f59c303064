using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Reads the query of a list. A parameter that is absent or empty has its default. One that cannot be read throws a 400 that names it.
/// </summary>
public readonly struct ListQuery(IQueryCollection query)
{
    /// <summary>
    /// Throws a 400 that names a parameter that is not one of these. A misspelt filter that was left out would show what is of others.
    /// </summary>
    public void MustHaveOnly(params ReadOnlySpan<string> names)
    {
        foreach (var name in query.Keys)
            if (!names.Contains(name))
                throw Invalid(name, $"is not a parameter that this call has. It has {string.Join(", ", names)}");
    }

    /// <summary>Null when the parameter is absent or empty.</summary>
    public string? Text(string name) => query[name].ToString() is { Length: > 0 } text ? text : null;

    /// <summary>How many entries a page has, from 1.</summary>
    public int Limit(int fallback, int max) => Number("limit", fallback, 1, max);

    public int Number(string name, int fallback, int min, int max) => Text(name) is not { } text ? fallback
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max ? number
        : throw Invalid(name, $"must be a whole number from {min} to {max}");

    /// <summary>A moment in ISO 8601. It is UTC when it names no zone.</summary>
    public DateTimeOffset? Time(string name) => Text(name) is not { } text ? null
        : DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time) ? time
        : throw Invalid(name, "must be an ISO 8601 time");

    public static ProblemException Invalid(string name, string reason) => new(Problems.Invalid(name, $"'{name}' {reason}."));
}
