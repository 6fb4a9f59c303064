using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>DELETE /v1/customers/{id}</c> → 204, also when repeated. Sessions and keys are revoked, its clients removed, and what says who the
/// customer was or quotes it is erased here and owed by Wallet and Billing; its wallet and its ledger stay readable under its id, and its
/// external id stays taken. While Wallet is away the answer is 503: nobody can call any more, and a repetition tells Wallet.
/// </summary>
public static class DeleteCustomer
{
    public static void MapDeleteCustomer(this WebApplication app) => app.MapDelete("/v1/customers/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, WalletClient wallet, HotCopies copies, OutboxSignal outbox, TimeProvider time,
        CancellationToken token)
    {
        if (await CustomerView.FindAsync(db, http.Backend(), id, token) is not { } customer)
            return CustomerView.NotFound;
        var now = time.GetUtcNow();
        // Also when repeated: the first call may have ended before it told anybody.
        await using (copies.CustomerChanging(customer.Id, db))
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            // What others have written since it was read is erased, too.
            await db.LockAsync(customer, token);
            customer.Status = CustomerStatus.Deleted;
            CustomerFields.Erase(customer);
            foreach (var key in await db.CustomerKeys.Where(key => key.CustomerId == customer.Id && key.RevokedAt == null)
                .ToListAsync(token))
                CustomerKeys.Revoke(db, key, customer, now);
            foreach (var client in await db.Members.Where(one => one.CustomerId == customer.Id && one.RemovedAt == null).ToListAsync(token))
                Members.Remove(client, now);
            if (customer.WalletId is { } paysWith)
                db.Tell(new CustomerDeleted(customer.Id, paysWith, now), now);
            await db.Families.Where(family => family.CustomerId == customer.Id && family.RevokedAt == null)
                .ExecuteUpdateAsync(family => family.SetProperty(f => f.RevokedAt, now), token);
            // First the customer's row, which whoever keeps a response looks at: what is kept after the deletion would be kept for ever.
            await db.SaveChangesAsync(token);
            await db.Database.ExecuteSqlAsync($"delete from kept_response where customer_id = {customer.Id}", token);
            await db.Database.ExecuteSqlAsync(
                $"update audit_entry set before = null, after = null where customer_id = {customer.Id}", token);
            await db.Database.ExecuteSqlAsync($"update customer_key set name = 'deleted' where customer_id = {customer.Id}", token);
            await transaction.CommitAsync(CancellationToken.None);
        }
        outbox.Raise();
        await wallet.EraseAsync(customer.Id, token);
        return Results.NoContent();
    }
}
