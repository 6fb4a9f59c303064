using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>A key as its customer's backend sees it.</summary>
/// <param name="LastUsedAt">At most a minute old; the edge reports uses in batches.</param>
/// <param name="Key">The secret, only in the answer that makes it.</param>
/// <param name="PreviousExpiresAt">Until when the secret from before is good, only in the answer that rotates the key.</param>
public sealed record KeyView(
    string Id, string Name, string Prefix, string Last4, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? LastUsedAt,
    KeyView.ScopeView Scope,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Key = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? PreviousExpiresAt = null)
{
    /// <param name="Models">Null: all that the project allows.</param>
    /// <param name="Concurrent">Requests that may run at the same time. Null: as many as the customer's may.</param>
    /// <param name="KeyInPath">It may stand in the path of a request.</param>
    public sealed record ScopeView(IReadOnlyList<string>? Models, int? Concurrent, bool KeyInPath);

    public static KeyView Of(CustomerKey key) =>
        new(
            Ids.Show(Ids.Key, key.Id),
            key.Name,
            Token.CustomerKey,
            key.Last4,
            key.CreatedAt,
            key.ExpiresAt,
            key.LastUsedAt,
            new(key.Models, key.Concurrent, key.InPath));
}

/// <summary><c>GET /v1/customers/{id}/keys</c>: the keys that are not revoked, newest first.</summary>
public static class ListKeys
{
    public static void MapListKeys(this WebApplication app) =>
        app.MapGet("/v1/customers/{id}/keys", HandleAsync).WithQuery();

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, CancellationToken token)
    {
        if (await CustomerView.FindAsync(db, http.Backend(), id, token) is not { } customer)
            return CustomerView.NotFound;
        var keys = await db.CustomerKeys.AsNoTracking().Where(key => key.CustomerId == customer.Id && key.RevokedAt == null)
            .OrderByDescending(key => key.Id).ToListAsync(token);
        return Results.Json(new { keys = keys.Select(KeyView.Of) }, Defaults.Json);
    }
}
