using System.Diagnostics.CodeAnalysis;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Disputes as Stripe knows them. An open one freezes the wallet; one that was won lets it go, and what its owner has frozen stays frozen;
/// after one that was lost the wallet stays frozen until its owner decides. The ledger follows (<see cref="Postings"/>).
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
        if (dispute.Counts)
            await AloneAsync(payment, dispute, FreezeAsync, token);
        await postings.SettleAsync(payment, ofDispute: true, dispute.Id, token);
        if (dispute.IsClosed && !dispute.Counts)
            await AloneAsync(payment, dispute, LetGoAsync, token);
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
        if (now.IsNews(before))
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
    /// What held it before is written first: who repeats this finds it frozen by us. That it is done is written last, and from then on the
    /// wallet is its owner's to let go.
    /// </summary>
    async Task FreezeAsync(Payment payment, Dispute dispute, CancellationToken token)
    {
        if (await IsAsync("select frozen from dispute where id = $1", token, dispute.Id))
            return;
        var state = await ledger.StateAsync(payment.Wallet, token);
        // A wallet that we do not hold now was let go by its owner after disputes that were lost before: those hold it no longer.
        await database.ChangeAsync("""
            with let_go as (
                update dispute other set froze = false from payment p, dispute this
                where this.id = $1 and this.froze is null and not $2 and p.id = other.payment and p.wallet = $3
                    and other.id <> $1 and other.froze and other.frozen and other.status = 'lost')
            update dispute set froze = true where id = $1 and froze is null
            """, token, dispute.Id, state is { FrozenForDispute: true }, payment.Wallet);
        Failpoint.Hit("billing.dispute.noted");
        await ledger.SetFrozenAsync(payment.Wallet, frozen: true, token);
        await database.ChangeAsync("update dispute set frozen = true where id = $1", token, dispute.Id);
    }

    /// <summary>Unless another one holds the wallet. Once: what we freeze for the next one stays frozen.</summary>
    async Task LetGoAsync(Payment payment, Dispute dispute, CancellationToken token)
    {
        var mayLetGo = await IsAsync($"""
            select froze and not exists (
                select from dispute other join payment p on p.id = other.payment
                where p.wallet = $2 and other.id <> $1
                    and ((other.status in {Dispute.Undecided} and other.froze is distinct from false)
                        or (other.status = 'lost' and other.froze)))
            from dispute where id = $1
            """, token, dispute.Id, payment.Wallet);
        if (!mayLetGo)
            return;
        await ledger.SetFrozenAsync(payment.Wallet, frozen: false, token);
        await database.ChangeAsync("update dispute set froze = false where id = $1", token, dispute.Id);
    }

    /// <summary>
    /// Of one wallet one after the other, whichever process. Stripe tells several events of a dispute at once: the later of two would
    /// freeze what its owner has let go after the first, or take what the first has done for what another dispute holds.
    /// </summary>
    async Task AloneAsync(Payment payment, Dispute dispute, Func<Payment, Dispute, CancellationToken, Task> act, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        await connection.RunAsync("select pg_advisory_xact_lock(hashtextextended($1, 0))", token, $"freezes of {payment.Wallet:N}");
        await act(payment, dispute, token);
    }

    async Task<bool> IsAsync([StringSyntax("sql")] string sql, CancellationToken token, params object?[] values)
    {
        await using var query = database.Sql(sql, values);
        return await query.ExecuteScalarAsync(token) is true;
    }
}
