using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /internal/customers/{customer}/plan</c>: for Billing, what a subscription gives its customer, and until when. What is older than
/// what was said last changes nothing, and one that has ended takes away no plan that it has not given.
/// </summary>
public static class GivePlan
{
    public static void MapGivePlan(this WebApplication app) => app.MapPut("/internal/customers/{customer:guid}/plan", HandleAsync);

    static async Task<IResult> HandleAsync(
        Guid customer, HttpContext http, SessionsDb db, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var (said, now) = (await Body.ReadAsync<SubscribedPlan>(http), time.GetUtcNow());
        db.Author = new(Ids.Show(Ids.Subscription, said.Subscription), http.RequestId(), now);
        if (await db.Customers.SingleOrDefaultAsync(one => one.Id == customer, token) is not { } known)
            return CustomerView.NotFound;
        // Also when nothing is different: the call that changed it may have ended before it told anybody.
        await using (copies.CustomerChanging(customer, db))
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            await db.LockAsync(known, token);
            if (known.Status != CustomerStatus.Deleted && !await TryTakeAsync(db, known, said, now, token))
                return ListPlans.NotFound;
            await db.SaveChangesAsync(CancellationToken.None);
            await transaction.CommitAsync(CancellationToken.None);
        }
        return Results.NoContent();
    }

    /// <summary>False when there is no such plan. Who is to have nothing of it any more needs none.</summary>
    static async Task<bool> TryTakeAsync(SessionsDb db, Customer of, SubscribedPlan said, DateTimeOffset now, CancellationToken token)
    {
        var had = await db.CustomerPlans.SingleOrDefaultAsync(one => one.CustomerId == of.Id, token);
        if (had?.Version >= said.Version || (had?.Subscription != said.Subscription && said.EndsAt <= now))
            return true;
        var plans = await db.Plans.Where(one => one.ProjectId == of.ProjectId).ToDictionaryAsync(one => one.Id, token);
        if (!plans.TryGetValue(said.Plan, out var plan))
            return false;
        var before = had is null ? null : plans[had.PlanId];
        if (had is null)
            db.Add(had = new()
            {
                CustomerId = of.Id, Id = Ids.New(), ProjectId = of.ProjectId, PlanId = plan.Id, StartsAt = now,
            });
        Subscribed.Take(had, before, plan, said, now);
        return true;
    }
}
