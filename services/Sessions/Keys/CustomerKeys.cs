using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>Makes the rows of customers' keys.</summary>
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
        return key;
    }
}
