using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>Rules and rows of projects' secret keys.</summary>
public static class SecretKeys
{
    /// <summary>Keys that a project may have at a time.</summary>
    public const int Max = 100;

    public static string Prefix(bool test) => test ? Token.TestSecret : Token.LiveSecret;

    /// <summary>A new key's row, to be saved with the caller's transaction.</summary>
    /// <param name="ofSeed">A seed file made it, and finds it again by its name.</param>
    public static SecretKey New(
        Guid project, bool test, string name, string secret, CredentialSeal seal, DateTimeOffset now, bool ofSeed = false)
    {
        var (id, fingerprint) = (Ids.New(), Token.Fingerprint(secret));
        return new()
        {
            Id = id, ProjectId = project, Test = test, Name = name, SeedName = ofSeed ? name : null, Hash = seal.Hash(fingerprint),
            SealedFingerprint = seal.Seal(fingerprint, id), Last4 = CredentialSeal.Last4(secret), CreatedAt = now,
        };
    }

    /// <summary>Those that the caller may see. The worlds are apart: who has a test key gets no live one from it.</summary>
    public static IQueryable<SecretKey> Seen(SessionsDb db, Principal caller) =>
        db.SecretKeys.Where(key => key.ProjectId == caller.Project && (key.Test || !caller.Test));

    /// <summary>Those of them that can be used.</summary>
    public static IQueryable<SecretKey> Good(SessionsDb db, Principal caller, DateTimeOffset now) =>
        Seen(db, caller).Where(key => key.RevokedAt == null && (key.ExpiresAt == null || key.ExpiresAt > now));

    /// <summary>The first entry that is no permission, with what is wrong with it.</summary>
    public static (int Index, string Reason)? Mistake(IReadOnlyList<string> permissions)
    {
        foreach (var (i, permission) in permissions.Index())
            if (!Permissions.All.Contains(permission))
                return (i, $"is '{permission}', which is not one of {string.Join(", ", Permissions.All)}");
        return null;
    }
}
