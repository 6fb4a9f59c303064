using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>Projects' accounts at Stripe: opened once, and known as Stripe says that they are.</summary>
public sealed class ConnectAccounts(NpgsqlDataSource database, ConnectCalls stripe, ILogger<ConnectAccounts> log)
{
    /// <summary>The project's row with Stripe's account. Null when the row has ended: the next attempt makes another.</summary>
    public async Task<ConnectAccount?> OpenAsync(StripeMode mode, Principal caller, string? country, CancellationToken token)
    {
        var isNew = await database.AddConnectAccountAsync(
            Ids.New(), caller.Organization, caller.Project, caller.Test, mode.Livemode, country, token);
        Failpoint.Hit("billing.account.added");
        if (await database.ConnectAccountAsync(caller.Project, caller.Test, mode.Livemode, token) is not { } account)
            return null;
        if (account.Stripe is not null)
            return account;
        try
        {
            if (await FindOrCreateAsync(mode, account, again: !isNew, token) is not { } made)
                return await ForgetAsync(account, token);
            Failpoint.Hit("billing.account.created");
            return await TakeAsync(account, made, token);
        }
        catch (StripeRefusalException)
        {
            // Its key stands for this refusal for a day.
            await ForgetAsync(account, token);
            throw;
        }
        catch (ProblemException)
        {
            // Perhaps another call makes it at this moment.
            if (await database.ConnectAccountAsync(caller.Project, caller.Test, mode.Livemode, token) is { Stripe: not null } known)
                return known;
            throw;
        }
    }

    /// <summary>
    /// Stripe may have been asked before, and has made it without saying so. After a day the key is forgotten there: then the account is
    /// there by now, or this row never gets one.
    /// </summary>
    async Task<Account?> FindOrCreateAsync(StripeMode mode, ConnectAccount account, bool again, CancellationToken token)
    {
        var isYoung = account.ReadAt - account.CreatedAt < StripeCalls.KeyLife;
        var found = again || !isYoung ? await stripe.FindAccountAsync(mode, account, token) : null;
        return found is null && isYoung ? await stripe.CreateAccountAsync(mode, account, token) : found;
    }

    /// <summary>
    /// The project's account as Stripe knows it now; null when it has none, or Stripe does not know it under our key. Who only looks
    /// forgets nothing: the key may be the wrong one.
    /// </summary>
    public async Task<ConnectAccount?> FreshAsync(StripeMode mode, Guid project, bool test, CancellationToken token) =>
        await database.ConnectAccountAsync(project, test, mode.Livemode, token) is not { } account ? null
            : account.Stripe is null ? account
            : await FreshAsync(mode, account, token);

    /// <inheritdoc cref="FreshAsync(StripeMode, Guid, bool, CancellationToken)"/>
    public async Task<ConnectAccount?> FreshAsync(StripeMode mode, ConnectAccount account, CancellationToken token)
    {
        try
        {
            return await TakeAsync(account, await stripe.AccountAsync(mode, account.Stripe!, token), token);
        }
        catch (StripeRefusalException e) when (IsGone(e))
        {
            log.LogWarning("Stripe does not know the account {Account} of project {Project}", account.Stripe, account.Project);
            return null;
        }
    }

    /// <summary>It was cut off by its owner, or Stripe does not know it.</summary>
    public static bool IsGone(StripeRefusalException e) =>
        e.Code is StripeRefusalException.NoSuchObject or StripeRefusalException.NotOurAccount;

    /// <summary>
    /// Takes over what Stripe says. Unlike a payment's state it goes to and fro, so the one that was asked for last counts: an answer to a
    /// question from before that changes nothing.
    /// </summary>
    async Task<ConnectAccount?> TakeAsync(ConnectAccount account, Account said, CancellationToken token)
    {
        if (!StripeCalls.Says(said.Metadata, ConnectCalls.AccountKey, Ids.Show(Ids.ConnectAccount, account.Id)))
            throw new NotOursException($"account {said.Id} names another row");
        await database.ChangeAsync("""
            update connect_account set stripe = $2, details_submitted = $3, payouts_enabled = $4, transfers = $5, due = $6,
                disabled_reason = $7, looked_at = $8
            where id = $1 and looked_at <= $8 and (stripe is null or stripe = $2)
            """, token,
            account.Id, said.Id, said.DetailsSubmitted, said.PayoutsEnabled, said.Capabilities?.Transfers,
            said.Requirements?.CurrentlyDue?.ToArray() ?? [], said.Requirements?.DisabledReason, account.ReadAt);
        Failpoint.Hit("billing.account.taken");
        return await database.ConnectAccountAsync(account.Id, token);
    }

    /// <summary>The row ends, and with it nothing of what was paid to it. Always null.</summary>
    public async Task<ConnectAccount?> ForgetAsync(ConnectAccount account, CancellationToken token)
    {
        log.LogWarning("the account {Account} of project {Project} is not there any more", account.Stripe, account.Project);
        await database.ChangeAsync(
            "update connect_account set gone_at = now() where id = $1 and gone_at is null", token, account.Id);
        return null;
    }
}
