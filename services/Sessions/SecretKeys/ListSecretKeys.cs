using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>A project's secret key as whoever holds one sees it.</summary>
/// <param name="Permissions">Null: it may do all.</param>
/// <param name="LastUsedAt">At most a minute old.</param>
/// <param name="Key">The secret, only in the answer that makes it.</param>
public sealed record SecretKeyView(
    string Id, string Name, string Prefix, string Last4, IReadOnlyList<string>? Permissions, DateTimeOffset CreatedAt,
    DateTimeOffset? ExpiresAt, DateTimeOffset? LastUsedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Key = null)
{
    public static SecretKeyView Of(SecretKey key) => new(
        Ids.Show(Ids.SecretKey, key.Id), key.Name, SecretKeys.Prefix(key.Test), key.Last4, key.Permissions, key.CreatedAt, key.ExpiresAt,
        key.LastUsedAt);
}

/// <summary>
/// <c>GET /v1/secret-keys</c>: the keys of the caller's project that are neither revoked nor expired, newest first. A test key sees test
/// keys alone.
/// </summary>
public static class ListSecretKeys
{
    public static void MapListSecretKeys(this WebApplication app) => app.MapGet("/v1/secret-keys", HandleAsync).WithQuery();

    static async Task<IResult> HandleAsync(HttpContext http, SessionsDb db, TimeProvider time, CancellationToken token)
    {
        var keys = await SecretKeys.Good(db, http.Backend(), time.GetUtcNow()).AsNoTracking()
            .OrderByDescending(key => key.Id).ToListAsync(token);
        return Results.Json(new { keys = keys.Select(SecretKeyView.Of) }, Defaults.Json);
    }
}
