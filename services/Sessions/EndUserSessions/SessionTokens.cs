using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>Makes the tokens that end users hold.</summary>
public sealed class SessionTokens(CredentialSeal seal)
{
    /// <summary>A session and its secret, which is not kept anywhere.</summary>
    public (Session Session, string Secret) New(Guid family, bool test, DateTimeOffset now, int ttlSeconds)
    {
        var secret = Token.New(test ? Token.TestSession : Token.Session);
        var fingerprint = Token.Fingerprint(secret);
        var id = Ids.New();
        return (new()
        {
            Id = id, FamilyId = family, Hash = seal.Hash(fingerprint), SealedFingerprint = seal.Seal(fingerprint, id),
            CreatedAt = now, ExpiresAt = now.AddSeconds(ttlSeconds),
        }, secret);
    }
}
