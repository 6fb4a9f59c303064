using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>What a customer got for a code.</summary>
/// <param name="Id">Also the ledger's post, and the lot.</param>
/// <param name="ExpiresAt">The lot; in whole milliseconds.</param>
public sealed record Redemption(
    Guid Id, Guid Promotion, Guid Customer, Guid Wallet, DateTimeOffset? ExpiresAt, string Status, DateTimeOffset CreatedAt)
{
    public const string Claimed = "claimed", Booked = "booked";

    /// <summary>What it was to give was over before the ledger had it.</summary>
    public const string Expired = "expired";
}

/// <summary>
/// Redemptions: each is a row first, counted under the promotion's lock, then booked under its id, then marked. A row that is claimed
/// keeps its place, whatever the ledger says: whoever redeems again, and the reconciler, books that one, unless it has expired.
/// </summary>
public sealed class Redemptions(NpgsqlDataSource database, LedgerClient ledger)
{
    const string Columns = "id, promotion, customer, wallet, expires_at, status, created_at";

    /// <summary>What a round of the reconciler books at most.</summary>
    const int MaxAtOnce = 200;

    /// <summary>
    /// The customer's redemption: a new one if it may have one more, else its latest. Null: all are gone, or the code is over, and the
    /// customer had none.
    /// </summary>
    /// <param name="id">Of this call: repeated, it is the same redemption, perhaps of another promotion.</param>
    public async Task<Redemption?> ClaimAsync(Guid id, Guid promotion, WalletOwner owner, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        var found = await Promotion.ReadAsync(
            connection.Sql($"select {Promotion.Columns} from promotion where id = $1 for update", promotion), token);
        if (found is not [var of])
            return null;
        if (await ReadAsync(connection.Sql($"select {Columns} from redemption where id = $1", id), token) is [var same])
            return same;
        var own = await ReadAsync(
            connection.Sql(
                $"select {Columns} from redemption where promotion = $1 and customer = $2 order by number", promotion, owner.Customer),
            token);
        if (own.Count >= of.PerCustomer)
            return own[^1];
        await using (var clock = connection.Sql("select $1::timestamptz <= now()", of.ExpiresAt))
            if (of.EndedAt is not null || of.Redeemed >= of.MaxRedemptions || await clock.ExecuteScalarAsync(token) is true)
                return own.Count > 0 ? own[^1] : null;
        await connection.ChangeAsync("update promotion set redeemed = redeemed + 1 where id = $1", token, promotion);
        var added = await ReadAsync(
            connection.Sql($"""
                insert into redemption (id, promotion, customer, number, wallet, expires_at)
                values ($1, $2, $3, $4, $5, date_trunc('milliseconds', now() + make_interval(days => $6)))
                returning {Columns}
                """, id, promotion, owner.Customer, own.Count + 1, owner.Wallet, of.LotDays),
            token);
        await transaction.CommitAsync(CancellationToken.None);
        return added.Single();
    }

    /// <summary>Done when it answers so. <see cref="PaymentOutcome.NoLot"/>: the wallet has too many lots now.</summary>
    public async Task<PaymentOutcome> BookAsync(Promotion of, Redemption redemption, CancellationToken token)
    {
        if (redemption.Status != Redemption.Claimed)
            return redemption.Status == Redemption.Booked ? PaymentOutcome.Done : PaymentOutcome.Expired;
        Failpoint.Hit("billing.redemption.claimed");
        var answer = await ledger.BookAsync(
            new(
                redemption.Id, PaymentPost.Promotion, of.Organization, of.Project, redemption.Customer, redemption.Wallet, of.Test,
                of.Amount, 0, 0, Ids.Show(Ids.Redemption, redemption.Id))
            {
                ExpiresAt = redemption.ExpiresAt, Text = $"Promotion {of.Code}",
            },
            token);
        Failpoint.Hit("billing.redemption.booked");
        if (answer.Outcome == PaymentOutcome.NoLot)
            return answer.Outcome;
        if (answer.Outcome is not (PaymentOutcome.Done or PaymentOutcome.Expired))
            throw new InvalidOperationException($"redemption {redemption.Id:N} is not booked: {answer.Outcome}");
        await using var mark = database.Sql(
            "update redemption set status = $2 where id = $1 and status = 'claimed'", redemption.Id,
            answer.Outcome == PaymentOutcome.Done ? Redemption.Booked : Redemption.Expired);
        await mark.ExecuteNonQueryAsync(token);
        return answer.Outcome;
    }

    /// <summary>What who died has left, and what found too many lots: that nobody has looked at for longest first.</summary>
    public async Task<IReadOnlyList<(Promotion Of, Redemption Redemption)>> WaitingAsync(CancellationToken token)
    {
        var waiting = new List<(Promotion, Redemption)>();
        var claimed = await ReadAsync(
            database.Sql($"""
                update redemption set looked_at = now() where id in (
                    select id from redemption where status = 'claimed' and looked_at < now() - interval '1 minute'
                    order by looked_at limit $1)
                returning {Columns}
                """, MaxAtOnce),
            token);
        foreach (var redemption in claimed)
            if (await Promotion.FindAsync(database, redemption.Promotion, token) is { } of)
                waiting.Add((of, redemption));
        return waiting;
    }

    static async Task<List<Redemption>> ReadAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var _ = query;
        await using var row = await query.ExecuteReaderAsync(token);
        var found = new List<Redemption>();
        while (await row.ReadAsync(token))
            found.Add(new(
                row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), row.GetGuid(3),
                row.IsDBNull(4) ? null : row.GetFieldValue<DateTimeOffset>(4), row.GetString(5), row.GetFieldValue<DateTimeOffset>(6)));
        return found;
    }
}
