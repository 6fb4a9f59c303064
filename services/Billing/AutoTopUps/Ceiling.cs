using LlmGateway.Contracts;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Tells that a wallet needs more than its month's ceiling leaves: its project by an event and the card's owner by mail, once in a calendar
/// month (UTC), however often it is looked at and whatever is set meanwhile.
/// </summary>
public static class Ceiling
{
    /// <summary>Whoever calls it has locked the wallet's row.</summary>
    /// <param name="charged">In this month, what is under way included.</param>
    public static async Task TellOfCeilingAsync(
        this NpgsqlConnection connection, AutoTopUp row, long charged, bool isMailed, DateTimeOffset now, CancellationToken token)
    {
        var told = await connection.ChangeAsync("""
            update auto_top_up set ceiling_told = date_trunc('month', now() at time zone 'utc')::date
            where wallet = $1 and ceiling_told is distinct from date_trunc('month', now() at time zone 'utc')::date
            """, token, row.Wallet);
        if (told == 0)
            return;
        var next = AutoTopUp.NextMonth(now);
        await connection.TellAsync(
            PaymentEvents.SubjectOf(row.Customer), row.Organization, row.Project, row.Test, EventTypes.TopUpPaused,
            new
            {
                customerId = Ids.Show(Ids.Customer, row.Customer),
                walletId = Ids.Show(Ids.Wallet, row.Wallet),
                amount = new Money(row.Amount),
                reason = AutoTopUp.AtCeiling,
                monthlyCeiling = new Money(row.Ceiling),
                chargedThisMonth = new Money(charged),
                nextTry = next,
            },
            now, token);
        if (isMailed)
            await connection.AddMailAsync(CustomerText.AtCeiling(row, charged, next), row.Project, row.Test, token);
    }
}
