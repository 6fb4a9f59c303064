using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>GET /internal/customers/{customer}/profile</c>: what Billing prints of a customer. One that is deleted has none.</summary>
public static class ReadProfile
{
    public static void MapProfile(this WebApplication app) => app.MapGet("/internal/customers/{customer:guid}/profile", HandleAsync);

    static async Task<IResult> HandleAsync(Guid customer, SessionsDb db, CancellationToken token) =>
        await db.Customers.AsNoTracking().Include(one => one.Project)
            .SingleOrDefaultAsync(one => one.Id == customer && one.Status != CustomerStatus.Deleted, token) is { } found
            ? Results.Json(
                new CustomerProfile(found.ShownExternalId, found.Name, found.Company, found.Email, found.Project.Name), Defaults.Json)
            : Problems.NotFound("customer");
}
