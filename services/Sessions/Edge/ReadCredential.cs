using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/credentials</c>: who is calling, what they may do, and which registers pay, for many callers at once. Those that are
/// unknown are absent from the answer.
/// </summary>
public static class ReadCredential
{
    public static void MapCredentials(this WebApplication app) => app.MapPost("/internal/credentials", HandleAsync);

    static async Task<IResult> HandleAsync(
        HttpContext http, SessionsDb db, CredentialSeal seal, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var asked = (await Body.ReadAsync<CredentialQuestion>(http)).Fingerprints;
        if (asked.Count > CredentialQuestion.MaxAtOnce)
            return Problems.Invalid("fingerprints", $"'fingerprints' may have at most {CredentialQuestion.MaxAtOnce} entries.");
        var (started, now) = (time.GetTimestamp(), time.GetUtcNow());
        var wanted = asked.Distinct()
            .SelectMany(seal.Hashes, (fingerprint, hash) => (Hash: hash, Fingerprint: fingerprint))
            .ToDictionary(one => Convert.ToHexString(one.Hash));
        var known = new Dictionary<string, Credential>();
        foreach (var find in (Func<SessionsDb, byte[][], DateTimeOffset, CancellationToken, Task<List<(byte[], Credential)>>>[])
            [FindSessionsAsync, FindCustomerKeysAsync, FindSecretKeysAsync])
        {
            byte[][] hashes = [.. wanted.Values.Where(one => !known.ContainsKey(one.Fingerprint)).Select(one => one.Hash)];
            if (hashes.Length == 0)
                break;
            foreach (var (hash, credential) in await find(db, hashes, now, token))
                known[wanted[Convert.ToHexString(hash)].Fingerprint] = credential;
        }
        Failpoint.Hit("sessions.credential.read");
        foreach (var (fingerprint, credential) in known)
            _ = copies.KeepAsync(Invalidation.CredentialKey(fingerprint), credential, started); // the answer does not wait for Redis
        return Results.Json(known, Defaults.Json);
    }

    static async Task<List<(byte[], Credential)>> FindSessionsAsync(
        SessionsDb db, byte[][] hashes, DateTimeOffset now, CancellationToken token)
    {
        var sessions = await db.Sessions
            .AsNoTracking()
            .Include(s => s.Family.Customer.Project)
            .Where(s => hashes.Contains(s.Hash))
            .ToListAsync(token);
        return [.. sessions.Select(session => (session.Hash, Of(session, now)))];
    }

    static async Task<List<(byte[], Credential)>> FindCustomerKeysAsync(
        SessionsDb db, byte[][] hashes, DateTimeOffset now, CancellationToken token)
    {
        var keys = await db.CustomerKeys
            .AsNoTracking()
            .Include(k => k.Customer.Project)
            .Where(k => hashes.Contains(k.Hash))
            .ToListAsync(token);
        return [.. keys.Select(key => (key.Hash, Of(key, now)))];
    }

    static async Task<List<(byte[], Credential)>> FindSecretKeysAsync(
        SessionsDb db, byte[][] hashes, DateTimeOffset now, CancellationToken token)
    {
        var keys = await db.SecretKeys.AsNoTracking().Include(k => k.Project).Where(k => hashes.Contains(k.Hash)).ToListAsync(token);
        return [.. keys.Select(key => (key.Hash, Of(key, now)))];
    }

    static Credential Of(Session session, DateTimeOffset now)
    {
        var (family, customer, project) = (session.Family, session.Family.Customer, session.Family.Customer.Project);
        var cap = new RegisterRef(family.Id, AccountKind.SessionCap, Unit.UsdLimit);
        return new(
            session.Id, CredentialKind.Session, customer.Test,
            CredentialStatuses.Of(family.RevokedAt, session.ExpiresAt, customer.Status, project.Active, now),
            project.OrganizationId, project.Id, customer.Id, family.Id, customer.WalletId, session.ExpiresAt, family.Models,
            family.CapNanos is null ? WalletOf(customer) : [.. WalletOf(customer), cap], RatesOf(customer));
    }

    static Credential Of(CustomerKey key, DateTimeOffset now)
    {
        var (customer, project) = (key.Customer, key.Customer.Project);
        return new(
            key.Id, CredentialKind.CustomerKey, customer.Test,
            CredentialStatuses.Of(key.RevokedAt, key.ExpiresAt, customer.Status, project.Active, now),
            project.OrganizationId, project.Id, customer.Id, null, customer.WalletId, key.ExpiresAt, key.Models,
            WalletOf(customer), RatesOf(customer));
    }

    static Credential Of(SecretKey key, DateTimeOffset now) => new(
        key.Id, CredentialKind.SecretKey, key.Test, CredentialStatuses.Of(key.RevokedAt, null, null, key.Project.Active, now),
        key.Project.OrganizationId, key.ProjectId, null, null, null, null, null, [], null);

    static RegisterRef[] WalletOf(Customer customer) => customer.WalletId is { } wallet ? [new(wallet, AccountKind.Wallet, Unit.Usd)] : [];

    static Rates? RatesOf(Customer customer) =>
        customer is { RequestsPerMinute: null, TokensPerMinute: null } ? null : new(customer.RequestsPerMinute, customer.TokensPerMinute);
}
