using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Reads JSON bodies of management calls strictly: duplicates, wrong types, unknown enums and unknown members are refused, and the answer
/// names the field. A misspelt member that was left out could widen rights, or give money for ever.
/// </summary>
public static class Body
{
    /// <summary>Largest body that any route takes.</summary>
    public const int MaxBytes = 20 * 1024 * 1024;

    /// <summary>Largest body of a management call.</summary>
    public const int MaxManagementBytes = 1024 * 1024;

    static readonly JsonSerializerOptions Strict = new(Defaults.Json) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    /// <summary>Throws <see cref="ProblemException"/> with a 400, 413 or 415.</summary>
    public static async Task<T> ReadAsync<T>(HttpContext http) =>
        Parse<T>((await BytesAsync(http)).Span, isInternal: http.Request.Path.StartsWithSegments("/internal"));

    /// <summary>The body as it came. Throws <see cref="ProblemException"/> with a 413 or 415.</summary>
    public static async Task<ReadOnlyMemory<byte>> BytesAsync(HttpContext http)
    {
        if (!http.Request.HasJsonContentType())
            throw new ProblemException(Problems.NotJson);
        if (http.Request.ContentLength > MaxManagementBytes)
            throw new ProblemException(Problems.TooLarge(MaxManagementBytes));
        using var buffer = new MemoryStream();
        var chunk = new byte[16 * 1024];
        for (int read; (read = await http.Request.Body.ReadAsync(chunk, http.RequestAborted)) > 0;)
        {
            buffer.Write(chunk, 0, read);
            if (buffer.Length > MaxManagementBytes)
                throw new ProblemException(Problems.TooLarge(MaxManagementBytes));
        }
        return buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
    }

    /// <summary>As the other, for a call that may have no body.</summary>
    /// <param name="without">What it says then.</param>
    public static Task<T> ReadAsync<T>(HttpContext http, T without) =>
        http.Request.ContentLength == 0 || http.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false }
            ? Task.FromResult(without)
            : ReadAsync<T>(http);

    /// <param name="isInternal">From a service of ours, perhaps a newer one. What is not known yet is left out.</param>
    public static T Parse<T>(ReadOnlySpan<byte> json, bool isInternal = false) => Parse<T>(json, isInternal ? Defaults.Json : Strict);

    /// <inheritdoc cref="Parse{T}(ReadOnlySpan{byte}, bool)"/>
    public static T Parse<T>(ReadOnlySpan<byte> json, JsonSerializerOptions options)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json, options)
                ?? throw new ProblemException(Problems.Malformed("The body must not be null."));
        }
        catch (JsonException e)
        {
            var type = options.GetTypeInfo(typeof(T));
            throw new ProblemException(Describe(e, JsonMistake.Of(e, json, type), json, type));
        }
    }

    /// <summary>
    /// The mistake as an answer that names the field in the caller's notation: <c>scope.maxSpend</c>, <c>lines[2].amount</c>, and
    /// <c>[2].amount</c> where the body is a list.
    /// </summary>
    static Problem Describe(JsonException e, JsonMistake mistake, ReadOnlySpan<byte> json, JsonTypeInfo type)
    {
        var path = e.Path is { Length: > 2 } full ? full[1..].TrimStart('.') : null;
        if (mistake.Kind == JsonMistakeKind.Duplicate)
            return Problems.Malformed(path is null
                ? "The body has the same member twice."
                : $"The body has the member '{path}' twice in one object.") with { Param = path };
        if (mistake.Kind == JsonMistakeKind.Missing)
            return Problems.Missing(path is null ? mistake.Name! : $"{path}.{mistake.Name}");
        if (path is null)
            return Problems.Malformed(
                !IsJson(json) ? "The body is not valid JSON."
                : type.Kind == JsonTypeInfoKind.Enumerable ? "The body must be a JSON array."
                : "The body must be a JSON object.");
        if (mistake.Kind == JsonMistakeKind.Unknown)
            return Problems.Invalid(path, $"'{path}' is not a member that this call has.");
        return Problems.Invalid(
            path, e is JsonValueException { Reason: var reason } ? $"'{path}' {reason}." : $"'{path}' has the wrong type or form.");
    }

    static bool IsJson(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, new() { MaxDepth = Strict.MaxDepth });
        try
        {
            while (reader.Read())
            {
            }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
