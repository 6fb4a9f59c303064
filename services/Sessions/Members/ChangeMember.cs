using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PATCH /v1/members/{id}</c> <c>{role?, name?}</c>: a name that is null is cleared. What the member may do is another thing within a
/// second, with the tokens that it has. A client stays one, and nobody becomes one: that is another member.
/// </summary>
public static class ChangeMember
{
    public static void MapChangeMember(this WebApplication app) => app.MapPatch("/v1/members/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var (caller, now) = (http.Backend(), time.GetUtcNow());
        var body = await ReadAsync(http);
        if (await Members.FindAsync(db, await Members.ReaderAsync(db, caller, now, token), id, token) is not { } member)
            return Members.NotFound;
        // Also when the role is what it was: the call that changed it may have ended before it told anybody.
        await using (copies.MemberChanging(member.Id, db))
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            var grantor = await Members.LockAsync(db, caller, now, token);
            await Members.ReloadAsync(db, member, token);
            if (member.RemovedAt is not null)
                return Members.NotFound;
            if (await ApplyAsync(db, grantor, body, member, token) is { } refusal)
                return refusal;
            await db.SaveChangesAsync(token);
            await transaction.CommitAsync(CancellationToken.None);
        }
        return Results.Json(MemberView.Of(member), Defaults.Json);
    }

    /// <summary>Throws a 400 that names a member that the call does not have.</summary>
    static async Task<JsonElement> ReadAsync(HttpContext http)
    {
        if (await Body.ReadAsync<JsonElement>(http) is not { ValueKind: JsonValueKind.Object } body)
            throw new ProblemException(Problems.Malformed("The body must be a JSON object."));
        foreach (var one in body.EnumerateObject())
            if (one.Name is not ("role" or "name"))
                throw Fields.Invalid(one.Name, "is not a field of a member that can be set here");
        return body;
    }

    /// <summary>Who changes a member must have what it has, and what it is to have.</summary>
    static async Task<Problem?> ApplyAsync(SessionsDb db, Grantor grantor, JsonElement body, Member member, CancellationToken token)
    {
        if (grantor.Refusal(member.Role) is { } more)
            return more;
        if (body.TryGetProperty("name", out var name))
            member.Name = Fields.Text(name, "name");
        if (!body.TryGetProperty("role", out var given))
            return null;
        var role = Fields.Text(given, "role") ?? "";
        if (!Roles.All.ContainsKey(role))
            throw Fields.Invalid("role", $"must be one of {string.Join(", ", Roles.All.Keys)}");
        if (role == member.Role)
            return null;
        if (role == Roles.Client || member.Role == Roles.Client)
            throw Fields.Invalid("role", "cannot become or cease to be 'client': make another member");
        if ((grantor.Refusal(role) ?? grantor.Ending) is { } beyond)
            return beyond;
        if (await Members.RefusalAsync(db, grantor, member, token) is { } refusal)
            return refusal;
        member.Role = role;
        return null;
    }
}
