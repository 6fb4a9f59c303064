using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// What the ledger is to book of a payment is a row first (<c>posting</c>), then booked under the row's id, then marked. So it is booked
/// once, whoever dies in between, and by whichever instance comes next. There is one at a time of a payment, so the ledger gets them in
/// their order.
/// </summary>
public sealed class Postings(NpgsqlDataSource database, LedgerClient ledger, Invoicing invoicing)
{
    /// <summary>Steps of one call. Another worker may add some while we book.</summary>
    const int MaxSteps = 20;

    /// <summary>Books what waits, and then what brings the ledger to what the payment's refunds and disputes say.</summary>
    /// <param name="ofDispute">Whether a dispute is why, or a refund.</param>
    /// <param name="reference">What it stands for.</param>
    public async Task SettleAsync(Payment payment, bool ofDispute, string reference, CancellationToken token)
    {
        for (var i = 0; i < MaxSteps; i++)
        {
            await BookWaitingAsync(payment, token);
            if (await database.WithLockedAsync(
                    payment.Id, (connection, row) => connection.AddStepAsync(row, ofDispute, reference, token), token) == Step.None)
                return;
        }
        throw new TimeoutException($"the ledger is not yet where payment {payment.Id:N} wants it");
    }

    /// <summary>Books what waits, if anything does. Done when it returns.</summary>
    public async Task BookWaitingAsync(Payment payment, CancellationToken token)
    {
        if (await WaitingAsync(payment.Id, token) is not var (posting, type, amount, reference, refund))
            return;
        var answer = await ledger.BookAsync(
            new(
                posting, type, payment.Organization, payment.Project, payment.Customer, payment.Wallet, payment.Test,
                amount.Net, amount.Margin, amount.Fee, reference)
            {
                Lot = type == PaymentPost.TopUp ? null : payment.Id, WithoutDebt = refund is not null,
                Undoes = type == PaymentPost.DisputeWon ? await OfDisputesAsync(payment.Id, posting, token) : [],
            },
            token);
        Failpoint.Hit("billing.posting.booked");
        if (answer.Outcome is PaymentOutcome.UnknownWallet or PaymentOutcome.IdUsed
            || (answer.Outcome == PaymentOutcome.NotEnough && refund is null))
            throw new InvalidOperationException($"posting {posting:N} of payment {payment.Id:N} is not booked: {answer.Outcome}");
        await database.WithLockedAsync(payment.Id, async (connection, _) =>
        {
            var booked = answer.Outcome == PaymentOutcome.Done ? "booked" : "refused";
            await connection.ChangeAsync(
                "update posting set status = $2, owed_paid = $3 where id = $1 and status = 'waiting'", token, posting, booked,
                answer.OwedPaid);
            return refund is not { } asked ? 0 : await connection.ChangeAsync(
                "update refund set status = $2 where id = $1 and status = 'new'", token, asked, booked);
        }, token);
        invoicing.Wake();
    }

    /// <summary>What disputes have taken and given back of the payment before.</summary>
    async Task<List<Guid>> OfDisputesAsync(Guid payment, Guid posting, CancellationToken token)
    {
        await using var query = database.Sql("""
            select id from posting where payment = $1 and id <> $2 and type in ('Dispute', 'DisputeWon') and status = 'booked'
            """, payment, posting);
        await using var row = await query.ExecuteReaderAsync(token);
        var ids = new List<Guid>();
        while (await row.ReadAsync(token))
            ids.Add(row.GetGuid(0));
        return ids;
    }

    async Task<(Guid Id, PaymentPost Type, Parts Amount, string Reference, Guid? Refund)?> WaitingAsync(
        Guid payment, CancellationToken token)
    {
        await using var query = database.Sql(
            "select id, type, net, margin, fee, reference, refund from posting where payment = $1 and status = 'waiting'", payment);
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? (row.GetGuid(0), Enum.Parse<PaymentPost>(row.GetString(1)), new(row.GetInt64(2), row.GetInt64(3), row.GetInt64(4)),
                row.GetString(5), row.IsDBNull(6) ? null : row.GetGuid(6))
            : null;
    }
}
