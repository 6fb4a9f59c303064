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
        DateTimeOffset? expiresAt,
        DateTimeOffset now)
    {
        var fingerprint = Token.Fingerprint(secret);
        var id = Ids.New();
        var key = new CustomerKey
        {
            Id = id, CustomerId = customer.Id, Name = name, Hash = seal.Hash(fingerprint), SealedFingerprint = seal.Seal(fingerprint, id),
            Last4 = CredentialSeal.Last4(secret), Models = models, Concurrent = concurrent, CreatedAt = now,
            ExpiresAt = expiresAt?.ToUniversalTime(),
        };
        db.Add(key);
        db.Tell(new KeyCreated(id, customer.Id, project.OrganizationId, project.Id, customer.Test, now), now);
        return key;
    }
}
