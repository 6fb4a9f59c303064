using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /internal/projects/{project}/plans</c> and <c>GET /internal/projects/{project}/customers?name=&amp;test=</c>: what Billing must
/// know before it sells a plan to somebody.
/// </summary>
public static class ReadPlans
{
    public static void MapReadPlans(this WebApplication app)
    {
        app.MapGet("/internal/projects/{project:guid}/plans", PlansAsync);
        app.MapGet("/internal/projects/{project:guid}/customers", CustomerAsync);
    }

    static async Task<IResult> PlansAsync(Guid project, SessionsDb db, CancellationToken token)
    {
        var plans = await db.Plans.AsNoTracking().Where(plan => plan.ProjectId == project).OrderBy(plan => plan.Id).ToListAsync(token);
        return Results.Json(
            new SoldPlans([.. plans.Select(plan => new SoldPlan(
                plan.Id, plan.Name, new(plan.PriceNanos), plan.TrialDays, plan.StripePrice, plan.GraceDays,
                plan.OverageInvoiced ? plan.OveragePicos : null))]),
            Defaults.Json);
    }

    /// <summary>By its id, or as its backend calls it. 404 for one that is not served, too.</summary>
    static async Task<IResult> CustomerAsync(Guid project, string name, bool test, SessionsDb db, CancellationToken token)
    {
        var id = Ids.TryParse(Ids.Customer, name, out var named) ? named : CustomerCreation.CustomerId(project, test, name);
        return await db.Customers.AnyAsync(
            one => one.Id == id && one.ProjectId == project && one.Test == test && one.Status == CustomerStatus.Active, token)
            ? Results.Json(new NamedCustomer(id), Defaults.Json)
            : CustomerView.NotFound;
    }
}
