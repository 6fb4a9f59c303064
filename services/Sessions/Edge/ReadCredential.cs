using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /internal/credentials/{fingerprint}</c>: who is calling, what they may do, and which registers pay. 404 when unknown.
/// </summary>
public static class ReadCredential
{
    public static void MapCredentials(this WebApplication app) => app.MapGet("/internal/credentials/{fingerprint}",
        async (string fingerprint, SessionsDb db, CredentialSeal seal, HotCopies copies, TimeProvider time, CancellationToken token) =>
        {
            var now = time.GetUtcNow();
            var hash = seal.Hash(fingerprint);
            var credential = await FindSessionAsync(db, hash, now, token)
                ?? await FindCustomerKeyAsync(db, hash, now, token)
                ?? await FindSecretKeyAsync(db, hash, now, token);
            if (credential is null)
                return Problems.NotFound("credential");
            Failpoint.Hit("sessions.credential.read");
            _ = copies.KeepAsync(Invalidation.CredentialKey(fingerprint), credential); // the answer does not wait for Redis
            return Results.Json(credential, Defaults.Json);
        });

    static async Task<Credential?> FindSessionAsync(SessionsDb db, byte[] hash, DateTimeOffset now, CancellationToken token)
    {
        var session = await db.Sessions
            .AsNoTracking()
            .Include(s => s.Family.Customer.Project)
            .SingleOrDefaultAsync(s => s.Hash == hash, token);
        if (session is not { Family: { Customer: { Project: var project } customer } family })
            return null;
        var cap = new RegisterRef(family.Id, AccountKind.SessionCap, Unit.UsdLimit);
        return new(
            session.Id, CredentialKind.Session, customer.Test,
            CredentialStatuses.Of(family.RevokedAt, session.ExpiresAt, customer.Status, project.Active, now),
            project.OrganizationId, project.Id, customer.Id, family.Id, customer.WalletId, session.ExpiresAt, family.Models,
            family.CapNanos is null ? WalletOf(customer) : [.. WalletOf(customer), cap], RatesOf(customer), now);
    }

    static async Task<Credential?> FindCustomerKeyAsync(SessionsDb db, byte[] hash, DateTimeOffset now, CancellationToken token)
    {
        var key = await db.CustomerKeys.AsNoTracking().Include(k => k.Customer.Project).SingleOrDefaultAsync(k => k.Hash == hash, token);
        if (key is not { Customer: { Project: var project } customer })
            return null;
        return new(
            key.Id, CredentialKind.CustomerKey, customer.Test,
            CredentialStatuses.Of(key.RevokedAt, key.ExpiresAt, customer.Status, project.Active, now),
            project.OrganizationId, project.Id, customer.Id, null, customer.WalletId, key.ExpiresAt, key.Models,
            WalletOf(customer), RatesOf(customer), now);
    }

    static async Task<Credential?> FindSecretKeyAsync(SessionsDb db, byte[] hash, DateTimeOffset now, CancellationToken token)
    {
        var key = await db.SecretKeys.AsNoTracking().Include(k => k.Project).SingleOrDefaultAsync(k => k.Hash == hash, token);
        return key is null ? null : new(
            key.Id, CredentialKind.SecretKey, key.Test, CredentialStatuses.Of(key.RevokedAt, null, null, key.Project.Active, now),
            key.Project.OrganizationId, key.ProjectId, null, null, null, null, null, [], null, now);
    }

    static RegisterRef[] WalletOf(Customer customer) => customer.WalletId is { } wallet ? [new(wallet, AccountKind.Wallet, Unit.Usd)] : [];

    static Rates? RatesOf(Customer customer) =>
        customer is { RequestsPerMinute: null, TokensPerMinute: null } ? null : new(customer.RequestsPerMinute, customer.TokensPerMinute);
}
