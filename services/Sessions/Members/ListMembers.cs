using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>A member of an organization.</summary>
/// <param name="ProjectId">The only project that it is a member of. Null: all of the organization's.</param>
/// <param name="CustomerId">A client's.</param>
/// <param name="LastUsedAt">At most a minute old.</param>
public sealed record MemberView(
    string Id, string? Email, string? Name, string Role, string? ProjectId, string? CustomerId, DateTimeOffset CreatedAt,
    DateTimeOffset? LastUsedAt)
{
    public static MemberView Of(Member member) => new(
        Ids.Show(Ids.Member, member.Id), member.Email, member.Name, member.Role,
        member.ProjectId is { } project ? Ids.Show(Ids.Project, project) : null,
        member.CustomerId is { } customer ? Ids.Show(Ids.Customer, customer) : null, member.CreatedAt, member.LastUsedAt);
}

/// <summary>
/// <c>GET /v1/members?cursor=&amp;limit=</c>, newest first, and <c>GET /v1/members/{id}</c>. A secret key and a project's member see those
/// of the project alone, a member of the whole organization sees all; a test key of a live project sees none.
/// </summary>
public static class ListMembers
{
    const int DefaultPage = 50, MaxPage = 200;

    public static void MapListMembers(this WebApplication app)
    {
        app.MapGet("/v1/members", ListAsync).WithQuery("cursor", "limit");
        app.MapGet("/v1/members/{id}", GetAsync).WithQuery();
    }

    static async Task<IResult> ListAsync(HttpContext http, SessionsDb db, TimeProvider time, CancellationToken token)
    {
        var query = new ListQuery(http.Request.Query);
        var (limit, before) = (query.Limit(DefaultPage, MaxPage), query.Id("cursor", Ids.Member) ?? Guid.AllBitsSet);
        var grantor = await Members.ReaderAsync(db, http.Backend(), time.GetUtcNow(), token);
        // One more than asked for tells whether there is a next page.
        var page = await Members.Seen(db, grantor).AsNoTracking().Where(member => member.RemovedAt == null && member.Id < before)
            .OrderByDescending(member => member.Id).Take(limit + 1).ToListAsync(token);
        return Results.Json(new
        {
            members = page.Take(limit).Select(MemberView.Of),
            nextCursor = page.Count > limit ? Ids.Show(Ids.Member, page[limit - 1].Id) : null,
        }, Defaults.Json);
    }

    static async Task<IResult> GetAsync(string id, HttpContext http, SessionsDb db, TimeProvider time, CancellationToken token) =>
        await Members.FindAsync(db, await Members.ReaderAsync(db, http.Backend(), time.GetUtcNow(), token), id, token)
            is { RemovedAt: null } member
            ? Results.Json(MemberView.Of(member), Defaults.Json)
            : Members.NotFound;
}
