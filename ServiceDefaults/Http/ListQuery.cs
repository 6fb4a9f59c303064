using System.Globalization;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Reads the query of a list. A parameter that is absent or empty has its default. One that cannot be read throws a 400 that names it.
/// </summary>
public readonly struct ListQuery(IQueryCollection query)
{
    const string DateForm = "yyyy-MM-dd";

    /// <summary>With up to seven decimals of a second, and <c>Z</c>, an offset or nothing behind them.</summary>
    static readonly string[] TimeForms = [DateForm, $"{DateForm}'T'HH:mmK", $"{DateForm}'T'HH:mm:ss.FFFFFFFK"];

    /// <summary>Null when the parameter is absent or empty.</summary>
    public string? Text(string name) => query[name].ToString() is { Length: > 0 } text ? text : null;

    /// <summary>How many entries a page has, from 1.</summary>
    public int Limit(int fallback, int max) => Number("limit", fallback, 1, max);

    public int Number(string name, int fallback, int min, int max) => Text(name) is not { } text ? fallback
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max ? number
        : throw Invalid(name, $"must be a whole number from {min} to {max}");

    /// <summary>Null when the parameter is absent or empty.</summary>
    public Guid? Id(string name, string prefix) => Text(name) is not { } text ? null
        : Ids.TryParse(prefix, text, out var id) ? id
        : throw Invalid(name, $"must be an id ({prefix}_…)");

    /// <summary>
    /// A moment in ISO 8601, and nothing that looks like one: who writes a date as at home would get another day. It is UTC when it names
    /// no zone, and a date alone is where that day begins.
    /// </summary>
    public DateTimeOffset? Time(string name) => Text(name) is not { } text ? null
        : DateTimeOffset.TryParseExact(
            text, TimeForms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
        : throw Invalid(name, "must be a date or a time in ISO 8601, as 2026-12-01 or 2026-12-01T08:30:00Z, with '+' written as %2B");

    /// <summary>A date alone; null for a moment, which <see cref="Time"/> reads.</summary>
    public DateOnly? Date(string name) =>
        DateOnly.TryParseExact(Text(name), DateForm, CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) ? date : null;

    public static ProblemException Invalid(string name, string reason) => new(Problems.Invalid(name, $"'{name}' {reason}."));
}

/// <summary>Which parameters a route has.</summary>
public static class KnownQuery
{
    /// <summary>
    /// A call with another parameter gets a 400 that names it, before anything is read. A misspelt filter that was left out would show what
    /// is of others.
    /// </summary>
    public static RouteHandlerBuilder WithQuery(this RouteHandlerBuilder route, params string[] names) =>
        route.AddEndpointFilter((context, next) =>
            context.HttpContext.Request.Query.Keys.FirstOrDefault(name => !names.Contains(name)) is { } unknown
                ? throw ListQuery.Invalid(
                    unknown, $"is not a parameter that this call has. It has {(names.Length == 0 ? "none" : string.Join(", ", names))}")
                : next(context));
}
