using LlmGateway.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// Creates customers. The id follows from project, mode and external id, and the wallet's id from the customer's. Racing and repeated
/// creations mean the same two ids, so that no step can make a second customer or wallet. The wallet is opened first, then the customer is
/// written.
/// </summary>
public static class CustomerCreation
{
    public static Guid CustomerId(Guid project, bool test, string externalId) =>
        Ids.Derive(project, $"customer:{(test ? "test" : "live")}:{externalId}");

    /// <param name="credit">The first balance, granted by the organization. It has no effect on a wallet that is open already.</param>
    /// <param name="lowMark">The customer's own. Null: the project's.</param>
    public static OpenRegister Wallet(Guid customer, Project project, bool test, Money credit = default, long? lowMark = null) =>
        new(Ids.WalletOf(customer), AccountKind.Wallet, Unit.Usd, project.OrganizationId, project.Id, customer, test, credit.Nanos)
        {
            LowMark = lowMark ?? project.LowBalanceNanos,
        };

    /// <summary>Also one that was deleted, of which nobody knows the external id any more.</summary>
    public static Task<Customer?> FindAsync(SessionsDb db, Guid project, bool test, string externalId, CancellationToken token)
    {
        var id = CustomerId(project, test, externalId);
        return db.Customers.SingleOrDefaultAsync(customer => customer.Id == id, token);
    }

    /// <summary>A new customer and its event, to be saved with the caller's transaction.</summary>
    public static Customer Add(SessionsDb db, Project project, bool test, string externalId, DateTimeOffset now)
    {
        var customer = new Customer
        {
            Id = CustomerId(project.Id, test, externalId), ProjectId = project.Id, Test = test, ExternalId = externalId,
            Status = CustomerStatus.Active, CreatedAt = now,
        };
        db.Add(customer);
        db.Tell(new CustomerCreated(customer.Id, externalId, project.OrganizationId, project.Id, test, now), now);
        db.TellOwner(
            EventTypes.CustomerCreated, Ids.Derive(customer.Id, "profile"), 1, project.OrganizationId, project.Id, test,
            new { customerId = Ids.Show(Ids.Customer, customer.Id) }, now);
        return customer;
    }
}
