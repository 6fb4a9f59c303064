using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/sessions/refresh</c>: a new token of the same family, hence with the same lifetime, scope and remaining cap. The old token
/// lives on for <see cref="Grace"/>, counted from its first refresh, so that calls under way and other tabs are not cut off.
/// </summary>
public static class RefreshSession
{
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How many tokens one token may be refreshed into: enough for every tab of a browser, too few to hand out to others.
    /// </summary>
    const int MaxSuccessors = 10;

    public static void MapRefreshSession(this WebApplication app) => app.MapPost("/v1/sessions/refresh", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        HttpContext http, SessionsDb db, SessionTokens tokens, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var caller = http.EndUser();
        var now = time.GetUtcNow();
        var old = await db.Sessions
            .AsNoTracking()
            .Include(s => s.Family.Customer.Project)
            .SingleOrDefaultAsync(s => s.Id == caller.Credential, token);
        if (old is not { Family: { Customer: { Project: var project } customer } family })
            return Problems.BadCredential;
        var status = CredentialStatuses.Of(family.RevokedAt, old.ExpiresAt, customer.Status, project.Active, now);
        if (CredentialStatuses.ProblemOf(status) is { } refusal)
            return refusal;
        if (!project.EndUserSessions)
            return Problems.SessionsDisabled;

        await using var transaction = await db.Database.BeginTransactionAsync(token);
        // One statement counts and decides, so that parallel refreshes count each other. A later revocation ends the whole family, with
        // this child.
        var graceEnd = now + Grace;
        var mayRefresh = await db.Sessions.Where(s => s.Id == old.Id && s.Successors < MaxSuccessors).ExecuteUpdateAsync(session => session
            .SetProperty(s => s.Successors, s => s.Successors + 1)
            .SetProperty(s => s.ExpiresAt, s => s.ExpiresAt < graceEnd ? s.ExpiresAt : graceEnd), token) == 1;
        if (!mayRefresh)
        {
            return Problems.Conflict(
                "refreshed_too_often",
                $"This session was refreshed {MaxSuccessors} times already. Use one of the tokens that it was refreshed into.");
        }
        Failpoint.Hit("sessions.refresh.counted");
        var (session, secret) = tokens.New(family.Id, customer.Test, now, family.TtlSeconds);
        db.Add(session);
        await db.SaveChangesAsync(token);
        await using (copies.CredentialChanging(new(old.Id, old.SealedFingerprint)))
        {
            await transaction.CommitAsync(CancellationToken.None);
            Failpoint.Hit("sessions.refresh.committed");
        }
        return Results.Json(new
        {
            sessionToken = secret,
            walletId = customer.WalletId is { } wallet ? Ids.Show(Ids.Wallet, wallet) : null,
            expiresAt = session.ExpiresAt,
        }, Defaults.Json);
    }
}
