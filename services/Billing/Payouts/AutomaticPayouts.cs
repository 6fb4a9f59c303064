using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Pays out what was earned where the project wants that. Whether a payout is due follows from what is stored: the threshold, the margin in
/// the ledger, the account, and whether this day has had one. Nothing is counted or remembered, so a round that did not happen costs
/// nothing but time, and of rounds that happen at once one pays.
/// </summary>
public sealed class AutomaticPayouts(
    NpgsqlDataSource database, StripeModes modes, ConnectAccounts accounts, LedgerClient ledger, Payouts payouts)
{
    /// <summary>Of one round. Those that were looked at longest ago come first.</summary>
    const int MaxProjects = 50;

    /// <summary>A project is looked at so often at most.</summary>
    static readonly TimeSpan Every = TimeSpan.FromMinutes(10);

    public sealed record Wish(Guid Project, bool Test, long Threshold, DateOnly Day);

    /// <summary>Null: nothing is paid out by itself.</summary>
    public static async Task<Money?> ThresholdAsync(NpgsqlDataSource database, Guid project, bool test, CancellationToken token)
    {
        await using var query = database.Sql("select threshold from automatic_payout where project = $1 and test = $2", project, test);
        return await query.ExecuteScalarAsync(token) is long cents ? new Money(cents * Quote.NanosPerCent) : null;
    }

    /// <returns>Whether a payout was begun.</returns>
    public async Task<bool> BeginAsync(Wish wish, CancellationToken token)
    {
        var due = PayoutRules.Due(await ledger.MarginAsync(wish.Project, wish.Test, token), wish.Threshold);
        if (due == 0 || modes.Of(wish.Test) is not { } mode)
            return false;
        if (await accounts.FreshAsync(mode, wish.Project, wish.Test, token) is not { State: AccountState.Ready } account)
            return false;
        var id = Ids.New();
        if (!await database.TryAddPayoutAsync(id, account, due, wish.Day, "automatic", token))
            return false;
        try
        {
            await payouts.AdvanceAsync(id, again: false, token);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            // It is pending.
        }
        return true;
    }

    /// <summary>Who is to be looked at in this round. A day is one of UTC, by the database's clock.</summary>
    /// <param name="everything">However short a time ago somebody has looked.</param>
    public async Task<List<Wish>> WishesAsync(bool everything, CancellationToken token)
    {
        await using var query = database.Sql("""
            update automatic_payout set looked_at = now() where (project, test) in (
                select a.project, a.test from automatic_payout a
                where a.looked_at <= now() - $1 and not exists (
                    select from payout p
                    where p.project = a.project and p.test = a.test and p.automatic = (now() at time zone 'utc')::date)
                order by a.looked_at limit $2)
            returning project, test, threshold, (now() at time zone 'utc')::date
            """, everything ? TimeSpan.Zero : Every, MaxProjects);
        await using var row = await query.ExecuteReaderAsync(token);
        var wishes = new List<Wish>();
        while (await row.ReadAsync(token))
            wishes.Add(new(row.GetGuid(0), row.GetBoolean(1), row.GetInt64(2), row.GetFieldValue<DateOnly>(3)));
        return wishes;
    }
}
