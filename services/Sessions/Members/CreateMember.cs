using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/members</c> <c>{email, role, name?, projectId?, customerId?}</c> → 201. A secret key and a project's member make members of
/// their project, a member of the whole organization those of it, too. The new one cannot call before somebody makes it a token.
/// </summary>
public static class CreateMember
{
    /// <param name="ProjectId">Absent: all projects that the caller is for. A client is of its customer's.</param>
    /// <param name="CustomerId">A client's, of the caller's project.</param>
    public sealed record Request(string Email, string Role, string? Name = null, string? ProjectId = null, string? CustomerId = null);

    public static void MapCreateMember(this WebApplication app) => app.MapPost("/v1/members", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(HttpContext http, SessionsDb db, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        var request = await Body.ReadAsync<Request>(http);
        var (now, email, name) = (time.GetUtcNow(), Members.Email(request.Email), Members.Name(request.Name));
        MustBeRight(request);
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        var grantor = await Members.LockAsync(db, caller, now, token);
        if ((grantor.Refusal(request.Role) ?? grantor.Ending) is { } refusal)
            return refusal;
        Customer? customer = null;
        if (request.CustomerId is { } id)
        {
            customer = await CustomerView.FindAsync(db, caller, id, token);
            if (customer is null)
                return CustomerView.NotFound;
            await db.LockAsync(customer, token);
            if (customer.Status == CustomerStatus.Deleted)
                return CustomerView.Deleted;
        }
        var (found, project) = await ProjectAsync(db, grantor, request.ProjectId, customer, token);
        if (!found)
            return ListProjects.NotFound;
        if (await db.Members.CountAsync(
            one => one.OrganizationId == grantor.Organization && one.ProjectId == project && one.RemovedAt == null, token) >= Members.Max)
            return Problems.Conflict("too_many_members", $"There may be {Members.Max} members here. Remove one first.");
        var member = new Member
        {
            Id = Ids.New(), OrganizationId = grantor.Organization, ProjectId = project, CustomerId = customer?.Id, Role = request.Role,
            Email = email, Name = name, CreatedAt = now,
        };
        db.Add(member);
        try
        {
            await db.SaveChangesAsync(token);
        }
        catch (DbUpdateException e) when (SessionsDb.IsDuplicate(e))
        {
            return Problems.Conflict("member_exists", "Who has this 'email' is a member here already.", "email");
        }
        await transaction.CommitAsync(CancellationToken.None);
        return Results.Json(MemberView.Of(member), Defaults.Json, statusCode: 201);
    }

    static void MustBeRight(Request request)
    {
        if (!Roles.All.ContainsKey(request.Role))
            throw Fields.Invalid("role", $"must be one of {string.Join(", ", Roles.All.Keys)}");
        if (request.Role != Roles.Client && request.CustomerId is not null)
            throw Fields.Invalid("customerId", "is for the role 'client' alone");
        if (request.Role == Roles.Client && request.CustomerId is null)
            throw new ProblemException(Problems.Missing("customerId"));
        if (request.Role == Roles.Client && request.ProjectId is not null)
            throw Fields.Invalid("projectId", "is that of a client's customer");
    }

    /// <summary>Which one the member is of; null for all of the organization's. What the caller is not for is not found.</summary>
    static async Task<(bool Found, Guid? Project)> ProjectAsync(
        SessionsDb db, Grantor grantor, string? asked, Customer? customer, CancellationToken token)
    {
        if (customer is not null)
            return (true, customer.ProjectId);
        if (asked is null)
            return (true, grantor.Project);
        return Ids.TryParse(Ids.Project, asked, out var wanted) && (grantor.Project is null || grantor.Project == wanted)
            && await db.Projects.AnyAsync(one => one.Id == wanted && one.OrganizationId == grantor.Organization, token)
            ? (true, (Guid?)wanted)
            : (false, null);
    }
}
