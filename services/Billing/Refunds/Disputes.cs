using System.Diagnostics.CodeAnalysis;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Disputes as Stripe knows them. An open one freezes the wallet; one that was won lets it go, unless somebody else had frozen it; after
/// one that was lost the wallet stays frozen until its owner decides. The ledger follows (<see cref="Postings"/>).
/// </summary>
public sealed class Disputes(
    NpgsqlDataSource database, LedgerClient ledger, Postings postings, OutboxSignal outbox, TimeProvider time)
{
    /// <summary>Takes over what Stripe says of a dispute, freezes or lets go, and books it.</summary>
    public async Task TakeAsync(Payment payment, global::Stripe.Dispute said, CancellationToken token)
    {
        if (said.PaymentIntentId != payment.Intent)
            throw new NotOursException($"dispute {said.Id} is of {said.PaymentIntentId}");
        var dispute = await database.WithLockedAsync(
            payment.Id,
            async (connection, row) =>
            {
                var taken = await TakeAsync(connection, payment, said, token);
                await connection.AddStepAsync(row, ofDispute: true, said.Id, token);
                return taken;
            },
            token);
        Failpoint.Hit("billing.dispute.taken");
        outbox.Raise();
        if (dispute.IsOpen || dispute.IsLost)
            await FreezeAsync(payment, dispute, token);
        await postings.SettleAsync(payment, ofDispute: true, dispute.Id, token);
        if (dispute.IsClosed && !dispute.Counts)
            await LetGoAsync(payment, dispute, token);
    }

    async Task<Dispute> TakeAsync(NpgsqlConnection connection, Payment payment, global::Stripe.Dispute said, CancellationToken token)
    {
        var before = (await connection.DisputesAsync(payment.Id, token)).Find(one => one.Id == said.Id);
        var now = Dispute.After(before, new(said.Id, said.Amount, said.Status));
        await connection.ChangeAsync("""
            insert into dispute (id, payment, cents, status, reason) values ($1, $2, $3, $4, $5)
            on conflict (id) do update set cents = excluded.cents, status = excluded.status, looked_at = now()
            """, token, now.Id, payment.Id, now.Cents, now.Status, said.Reason);
        if (before is null)
            await connection.TellAsync(payment, EventTypes.DisputeOpened, Say(payment, now, said.Reason), time.GetUtcNow(), token);
        if (now.IsClosed && before is not { IsClosed: true })
            await connection.TellAsync(payment, EventTypes.DisputeClosed, Say(payment, now, said.Reason), time.GetUtcNow(), token);
        return now;
    }

    static object Say(Payment payment, Dispute dispute, string? reason) => new
    {
        customerId = Ids.Show(Ids.Customer, payment.Customer),
        walletId = Ids.Show(Ids.Wallet, payment.Wallet),
        paymentId = Ids.Show(Ids.Payment, payment.Id),
        disputeId = dispute.Id,
        amount = new Money(dispute.Cents * Quote.NanosPerCent),
        status = dispute.Status,
        reason,
    };

    /// <summary>
    /// Whether it was frozen before is written first: who repeats this finds it frozen by us. That it is done is written last, and from
    /// then on the wallet is its owner's to let go.
    /// </summary>
    async Task FreezeAsync(Payment payment, Dispute dispute, CancellationToken token)
    {
        if (await IsFrozenForAsync(dispute.Id, token))
            return;
        var state = await ledger.StateAsync(payment.Wallet, token);
        // A wallet that is not frozen now was let go by its owner after disputes that were lost before: those hold it no longer.
        await ChangeAsync("""
            with let_go as (
                update dispute other set froze = false from payment p, dispute this
                where this.id = $1 and this.froze is null and not $2 and p.id = other.payment and p.wallet = $3
                    and other.id <> $1 and other.froze and other.frozen and other.status = 'lost')
            update dispute set froze = not $2 or exists (
                select from dispute other join payment p on p.id = other.payment
                where p.wallet = $3 and other.froze and other.id <> $1)
            where id = $1 and froze is null
            """, dispute.Id, state is { Frozen: true }, payment.Wallet);
        Failpoint.Hit("billing.dispute.noted");
        await ledger.SetFrozenAsync(payment.Wallet, frozen: true, token);
        await ChangeAsync("update dispute set frozen = true where id = $1", dispute.Id);

        async Task ChangeAsync([StringSyntax("sql")] string sql, params object?[] values)
        {
            await using var change = database.Sql(sql, values);
            await change.ExecuteNonQueryAsync(token);
        }
    }

    async Task<bool> IsFrozenForAsync(string dispute, CancellationToken token)
    {
        await using var query = database.Sql("select frozen from dispute where id = $1", dispute);
        return await query.ExecuteScalarAsync(token) is true;
    }

    /// <summary>Once: what the owner freezes after it stays frozen.</summary>
    async Task LetGoAsync(Payment payment, Dispute dispute, CancellationToken token)
    {
        await using var query = database.Sql("""
            select froze and not exists (
                select from dispute other join payment p on p.id = other.payment
                where p.wallet = $2 and other.id <> $1
                    and (other.status in ('needs_response', 'under_review') or (other.status = 'lost' and other.froze)))
            from dispute where id = $1
            """, dispute.Id, payment.Wallet);
        if (await query.ExecuteScalarAsync(token) is not true)
            return;
        await ledger.SetFrozenAsync(payment.Wallet, frozen: false, token);
        await using var note = database.Sql("update dispute set froze = false where id = $1", dispute.Id);
        await note.ExecuteNonQueryAsync(token);
    }
}
