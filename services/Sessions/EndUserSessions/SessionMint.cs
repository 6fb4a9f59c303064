using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// Makes a session for an end user, who is created on first sight, with a wallet. A customer that was made without one stays without, and
/// its keys uncharged: <c>walletId</c> is null. Wallet opens a new wallet before the session exists, so that no unusable session is left
/// when Wallet is down. It is not asked for anything else: a spend cap is opened by the first claim on it.
/// </summary>
public sealed class SessionMint(
    SessionsDb db, WalletClient wallet, SessionTokens tokens, OutboxSignal outbox, TimeProvider time)
{
    /// <summary>
    /// One try, and others after lost races: for a new customer, which can be lost only once, and with a call that changes its status.
    /// </summary>
    const int MaxAttempts = 3;

    /// <param name="claim">Says, in the transaction that saves the session, why it is not to be made; null for no such question.</param>
    public async Task<IResult> MintAsync(
        Project project, bool test, MintSession.Terms terms, Func<DateTimeOffset, Task<Problem?>>? claim, CancellationToken token)
    {
        if (!project.Active)
            return Problems.ProjectInactive;
        if (!project.EndUserSessions)
            return Problems.SessionsDisabled;

        var family = Ids.New();
        for (var attempt = 1; ; attempt++)
        {
            var now = time.GetUtcNow();
            var known = await CustomerCreation.FindAsync(db, project.Id, test, terms.ExternalId, token);
            if (known is not null && CredentialStatuses.ProblemOf(known.Status) is { } refusal)
                return refusal;
            var customer = known ?? CustomerCreation.Add(db, project, test, terms.ExternalId, now);
            customer.Email = terms.Email ?? customer.Email;
            customer.Name = terms.Name ?? customer.Name;

            Failpoint.Hit("sessions.mint.checked");
            if (known is null)
            {
                await wallet.OpenAsync([CustomerCreation.Wallet(customer.Id, project, test)], token);
                customer.WalletId = Ids.WalletOf(customer.Id);
            }
            Failpoint.Hit("sessions.mint.opened");

            db.Add(Family(family, customer, terms, now));
            var (session, secret) = tokens.New(family, test, now, terms.TtlSeconds);
            db.Add(session);
            await using var transaction = claim is null ? null : await db.Database.BeginTransactionAsync(token);
            if (claim is not null && await claim(now) is { } taken)
                return taken;
            try
            {
                await db.SaveChangesAsync(CancellationToken.None);
            }
            catch (DbUpdateException e) when (attempt < MaxAttempts && (SessionsDb.IsDuplicate(e) || e is DbUpdateConcurrencyException))
            {
                db.ChangeTracker.Clear();
                continue;
            }
            if (transaction is not null)
                await transaction.CommitAsync(CancellationToken.None);
            Failpoint.Hit("sessions.mint.saved");
            outbox.Raise();
            return Created(project, customer, session, secret);
        }
    }

    static SessionFamily Family(Guid id, Customer customer, MintSession.Terms terms, DateTimeOffset now) => new()
    {
        Id = id,
        CustomerId = customer.Id,
        Models = terms.Models,
        TtlSeconds = terms.TtlSeconds,
        CapNanos = terms.Cap?.Nanos,
        CreatedAt = now,
        RefreshesSince = now,
    };

    static IResult Created(Project project, Customer customer, Session session, string secret) => Results.Json(new
    {
        sessionId = Ids.Show(Ids.Session, session.Id),
        sessionToken = secret,
        publishableKey = project.PublishableKey,
        walletId = customer.WalletId is { } wallet ? Ids.Show(Ids.Wallet, wallet) : null,
        endCustomerId = Ids.Show(Ids.Customer, customer.Id),
        expiresAt = session.ExpiresAt,
    }, Defaults.Json, statusCode: 201);
}
