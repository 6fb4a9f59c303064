using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>Makes the rows of customers' keys, and ends them.</summary>
public sealed class CustomerKeys(CredentialSeal seal)
{
    /// <summary>A new key and its event, to be saved with the caller's transaction.</summary>
    public CustomerKey Add(
        SessionsDb db,
        Customer customer,
        Project project,
        string name,
        string secret,
        List<string>? models,
        int? concurrent,
        bool inPath,
        DateTimeOffset? expiresAt,
        DateTimeOffset now)
    {
        var key = new CustomerKey
        {
            Id = Ids.New(), CustomerId = customer.Id, Name = name, Hash = [], SealedFingerprint = "", Last4 = "", Models = models,
            Concurrent = concurrent, InPath = inPath, CreatedAt = now, ExpiresAt = expiresAt?.ToUniversalTime(),
        };
        key.Become(secret, seal);
        db.Add(key);
        db.Tell(new KeyCreated(key.Id, customer.Id, project.OrganizationId, project.Id, customer.Test, now), now);
        Tell(db, EventTypes.KeyCreated, 1, key.Id, customer, project, now);
        return key;
    }

    /// <summary>The key is not accepted any more, from the caller's transaction on.</summary>
    public static void Revoke(SessionsDb db, CustomerKey key, Customer customer, DateTimeOffset now)
    {
        key.RevokedAt = now;
        db.Tell(new KeyRevoked(key.Id, customer.Id, customer.Project.OrganizationId, customer.ProjectId, customer.Test, now), now);
        Tell(db, EventTypes.KeyRevoked, 2, key.Id, customer, customer.Project, now);
    }

    /// <param name="number">A key is made, and then it is revoked.</param>
    static void Tell(
        SessionsDb db, string type, long number, Guid key, Customer customer, Project project, DateTimeOffset now) =>
        db.TellOwner(
            type, key, number, project.OrganizationId, project.Id, customer.Test,
            new { customerId = Ids.Show(Ids.Customer, customer.Id), keyId = Ids.Show(Ids.Key, key) }, now);
}
