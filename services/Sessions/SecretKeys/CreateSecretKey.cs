using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/secret-keys</c> <c>{name, permissions?, expiresAt?, mode?: live|test}</c> → 201 with <c>key</c>, which is shown this once.
/// No key makes one that may do more than itself, works longer, or belongs to the live world when it does not; no member one that may do
/// more than the member.
/// </summary>
public static class CreateSecretKey
{
    /// <param name="Permissions">Absent: all that the caller may do.</param>
    /// <param name="ExpiresAt">Absent: when the caller does.</param>
    /// <param name="Mode">Absent: the caller's.</param>
    public sealed record Request(
        string Name, IReadOnlyList<string>? Permissions = null, DateTimeOffset? ExpiresAt = null, string? Mode = null);

    public static void MapCreateSecretKey(this WebApplication app) =>
        app.MapPost("/v1/secret-keys", HandleAsync).WithIdempotency(ofEach: true);

    static async Task<IResult> HandleAsync(
        HttpContext http, SessionsDb db, CredentialSeal seal, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        var request = await Body.ReadAsync<Request>(http);
        var now = time.GetUtcNow();
        var name = Fields.Text(request.Name, "name");
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        // Two calls at once must not both be the last key, and nobody makes one who is being revoked or removed.
        if (caller.Kind == CredentialKind.Member)
            await db.LockOrganizationAsync(caller.Organization, token);
        await db.LockProjectAsync(caller.Project, token);
        var own = await Grantor.FindAsync(db, caller, now, token);
        if (await SecretKeys.Good(db, caller, now).CountAsync(token) >= SecretKeys.Max)
            return Problems.Conflict("too_many_keys", $"A project may have {SecretKeys.Max} secret keys. Revoke one first.");
        var test = IsTest(request.Mode, caller, await db.Projects.AsNoTracking().SingleAsync(p => p.Id == caller.Project, token));
        var permissions = Allowed(request.Permissions, own.Permitted);
        var expiresAt = End(request.ExpiresAt, own.ExpiresAt, now);

        var secret = Token.New(SecretKeys.Prefix(test));
        var key = SecretKeys.New(caller.Project, test, name, secret, seal, now);
        (key.Permissions, key.ExpiresAt) = (permissions, expiresAt);
        db.Add(key);
        await db.SaveChangesAsync(token);
        await transaction.CommitAsync(CancellationToken.None);
        return Results.Json(SecretKeyView.Of(key) with { Key = secret }, Defaults.Json, statusCode: 201);
    }

    /// <summary>The world of what the caller makes. Throws a 400 for one that is not the caller's or the project's.</summary>
    public static bool IsTest(string? mode, Principal caller, Project project) => mode switch
    {
        null => caller.Test,
        "test" => true,
        "live" when caller.Test => throw Fields.Invalid("mode", "must be test, as who makes it"),
        "live" when project.Test => throw Fields.Invalid("mode", "must be test: the project is a test project"),
        "live" => false,
        _ => throw Fields.Invalid("mode", "must be live or test"),
    };

    /// <summary>Throws a 400 for what is no permission, and a 403 for one that the caller does not have itself.</summary>
    public static List<string>? Allowed(IReadOnlyList<string>? wanted, IReadOnlyList<string>? own)
    {
        if (wanted is null)
            return own?.ToList();
        if (SecretKeys.Mistake(wanted) is var (i, reason))
            throw Fields.Invalid($"permissions[{i}]", reason);
        if (Permissions.Missing(own, wanted) is { } more)
            throw new ProblemException(Problems.InsufficientPermission(more) with
            {
                Message = $"'permissions' has '{more}', which who makes this key lacks.", Param = "permissions",
            });
        return [.. wanted.Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>Throws a 400 for an end that is over, or later than the caller's own.</summary>
    public static DateTimeOffset? End(DateTimeOffset? wanted, DateTimeOffset? own, DateTimeOffset now)
    {
        if (wanted <= now)
            throw Fields.Invalid("expiresAt", "must be in the future");
        if (wanted > own)
            throw Fields.Invalid("expiresAt", $"must not be after the end of the key that makes it, {own:O}");
        return (wanted ?? own)?.ToUniversalTime();
    }
}
