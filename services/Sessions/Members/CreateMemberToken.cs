using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/members/{id}/tokens</c> and, with a token, <c>POST /v1/members/me/tokens</c> for another project or world:
/// <c>{ttlSeconds?: 60..43200, projectId?, mode?: live|test}</c> → 201 with <c>token</c>, which is shown this once. It is for one project
/// and one world, and ends no later than the credential that made it.
/// </summary>
public static class CreateMemberToken
{
    public const int MinTtlSeconds = 60, MaxTtlSeconds = 12 * 60 * 60, DefaultTtlSeconds = 60 * 60;

    /// <param name="ProjectId">Absent: the member's, or the caller's.</param>
    /// <param name="Mode">Absent: the caller's. A test token makes test tokens alone.</param>
    public sealed record Request(int? TtlSeconds = null, string? ProjectId = null, string? Mode = null);

    public sealed record View(string Id, string Token, string MemberId, string ProjectId, string Mode, DateTimeOffset ExpiresAt)
    {
        public static View Of(MemberToken row, string secret) => new(
            Ids.Show(Ids.MemberToken, row.Id), secret, Ids.Show(Ids.Member, row.MemberId), Ids.Show(Ids.Project, row.ProjectId),
            row.Test ? "test" : "live", row.ExpiresAt);
    }

    public static void MapCreateMemberToken(this WebApplication app)
    {
        app.MapPost("/v1/members/{id}/tokens", OfAnotherAsync).WithIdempotency(ofEach: true);
        app.MapPost("/v1/members/me/tokens", OwnAsync).WithIdempotency(ofEach: true);
    }

    /// <summary>Whoever makes a token could call with it, so it must not be for more than the caller may do itself.</summary>
    static async Task<IResult> OfAnotherAsync(
        string id, HttpContext http, SessionsDb db, CredentialSeal seal, TimeProvider time, CancellationToken token)
    {
        var (caller, now) = (http.Backend(), time.GetUtcNow());
        var request = await ReadAsync(http);
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        var grantor = await Members.LockAsync(db, caller, now, token);
        if (await Members.FindAsync(db, grantor, id, token) is not { RemovedAt: null } member)
            return Members.NotFound;
        return grantor.Refusal(member.Role) ?? await MakeAsync(db, caller, member, request, seal, now, token);
    }

    static async Task<IResult> OwnAsync(HttpContext http, SessionsDb db, CredentialSeal seal, TimeProvider time, CancellationToken token)
    {
        var request = await ReadAsync(http);
        var (caller, now) = (http.Member(), time.GetUtcNow());
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        // Nobody removes the member, or ends this token, meanwhile.
        await db.LockOrganizationAsync(caller.Organization, token);
        if (await Members.Calling(db, caller, now).SingleOrDefaultAsync(token) is not { } member)
            return Problems.RevokedCredential;
        return await MakeAsync(db, caller, member, request, seal, now, token);
    }

    static async Task<Request> ReadAsync(HttpContext http)
    {
        var request = await Body.ReadAsync(http, new Request());
        return request.TtlSeconds is < MinTtlSeconds or > MaxTtlSeconds
            ? throw Fields.Invalid("ttlSeconds", $"must be from {MinTtlSeconds} to {MaxTtlSeconds}")
            : request;
    }

    /// <summary>Commits the transaction when it has made one.</summary>
    static async Task<IResult> MakeAsync(
        SessionsDb db, Principal caller, Member member, Request request, CredentialSeal seal, DateTimeOffset now, CancellationToken token)
    {
        if (await ProjectAsync(db, caller, member, request.ProjectId, token) is not { } project)
            return ListProjects.NotFound;
        var test = World(request.Mode, caller, member, project);
        if (await db.MemberTokens.CountAsync(
            one => one.MemberId == member.Id && one.RevokedAt == null && one.ExpiresAt > now, token) >= Members.MaxTokens)
            return Problems.Conflict("too_many_tokens", $"A member may have {Members.MaxTokens} tokens. End them first.");
        var end = now.AddSeconds(request.TtlSeconds ?? DefaultTtlSeconds);
        if (caller.ExpiresAt is { } last && last < end)
            end = last;
        var (row, secret) = Members.NewToken(member, project.Id, test, end, seal, now);
        db.Add(row);
        await db.SaveChangesAsync(token);
        await db.Database.CommitTransactionAsync(CancellationToken.None);
        return Results.Json(View.Of(row, secret), Defaults.Json, statusCode: 201);
    }

    /// <summary>One that the member is of; null for every other one.</summary>
    static async Task<Project?> ProjectAsync(SessionsDb db, Principal caller, Member member, string? asked, CancellationToken token)
    {
        var wanted = member.ProjectId ?? caller.Project;
        if (asked is not null && !Ids.TryParse(Ids.Project, asked, out wanted))
            return null;
        return member.ProjectId is { } only && only != wanted
            ? null
            : await db.Projects.AsNoTracking()
                .SingleOrDefaultAsync(one => one.Id == wanted && one.OrganizationId == member.OrganizationId, token);
    }

    static bool World(string? mode, Principal caller, Member member, Project project)
    {
        var test = mode is null ? caller.Test || project.Test : CreateSecretKey.IsTest(mode, caller, project);
        return member.CustomerId is null || test == project.Test
            ? test
            : throw Fields.Invalid("mode", "must be that of the client's customer");
    }
}
