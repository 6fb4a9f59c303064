using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/sessions/refresh</c>: a new token of the same family, hence with the same lifetime, scope and remaining cap. The old token
/// lives on for <see cref="Grace"/>, counted from its first refresh, so that calls under way and other tabs are not cut off. A session with
/// a spend cap that is older than <see cref="CapsLastFor"/> has expired.
/// </summary>
public static class RefreshSession
{
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How often tokens of one family may be refreshed within the lifetime of a token: enough for every tab of a browser, too few to hand
    /// out to others. It bounds the tokens of a family that are valid at the same time, and the rows that an end user can make.
    /// </summary>
    public const int MaxRefreshes = 20;

    /// <summary>
    /// How long a session with a spend cap may be refreshed. Wallet forgets a counter that nothing has used for longer, and then the whole
    /// cap could be spent again.
    /// </summary>
    public static readonly TimeSpan CapsLastFor = TimeSpan.FromDays(90);

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
        if (family.CapNanos is not null && now - family.CreatedAt > CapsLastFor)
            return Problems.ExpiredCredential;

        await using var transaction = await db.Database.BeginTransactionAsync(token);
        // One statement counts and decides, so that parallel refreshes count each other. A later revocation ends the whole family, with
        // this child.
        var lifetime = TimeSpan.FromSeconds(family.TtlSeconds);
        var ended = now - lifetime;
        var mayRefresh = await db.Families
            .Where(f => f.Id == family.Id && (f.RefreshesSince <= ended || f.Refreshes < MaxRefreshes))
            .ExecuteUpdateAsync(f => f
                .SetProperty(f => f.Refreshes, f => f.RefreshesSince <= ended ? 1 : f.Refreshes + 1)
                .SetProperty(f => f.RefreshesSince, f => f.RefreshesSince <= ended ? now : f.RefreshesSince), token) == 1;
        if (!mayRefresh)
        {
            return Problems.RateLimited(
                $"The limit of {MaxRefreshes} refreshes of a session within {family.TtlSeconds} s is reached. Use its newest token.",
                family.RefreshesSince + lifetime - now is { Ticks: > 0 } wait ? wait : TimeSpan.FromSeconds(1));
        }
        var graceEnd = now + Grace;
        await db.Sessions.Where(s => s.Id == old.Id).ExecuteUpdateAsync(
            session => session.SetProperty(s => s.ExpiresAt, s => s.ExpiresAt < graceEnd ? s.ExpiresAt : graceEnd), token);
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
