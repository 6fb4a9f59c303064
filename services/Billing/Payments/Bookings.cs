using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// What the ledger is to book of a payment is a row first (<c>posting</c>), then booked under the row's id, then marked. So it is booked
/// once, whoever dies in between, and by whichever instance comes next. There is one at a time of a payment, so the ledger gets them in
/// their order.
/// </summary>
public sealed class Bookings(NpgsqlDataSource database, LedgerClient ledger, Invoicing invoicing)
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
            },
            token);
        Failpoint.Hit("billing.posting.booked");
        if (answer.Outcome is PaymentOutcome.UnknownWallet or PaymentOutcome.IdUsed
            || (answer.Outcome == PaymentOutcome.NotEnough && refund is null))
            throw new InvalidOperationException($"posting {posting:N} of payment {payment.Id:N} is not booked: {answer.Outcome}");
        await database.WithLockedAsync(payment.Id, async (connection, _) =>
        {
            var booked = answer.Outcome == PaymentOutcome.Done ? "booked" : "refused";
            await connection.ChangeAsync("update posting set status = $2 where id = $1 and status = 'waiting'", token, posting, booked);
            return refund is not { } asked ? 0 : await connection.ChangeAsync(
                "update refund set status = $2 where id = $1 and status = 'new'", token, asked, booked);
        }, token);
        invoicing.Wake();
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

/// <summary>What is still between the ledger and where a payment's refunds and disputes want it.</summary>
public enum Step
{
    /// <summary>Nothing: the ledger is there.</summary>
    None,
    /// <summary>A posting waits, and nobody knows what is missing until it is booked.</summary>
    Waits,
    /// <summary>The posting that brings the ledger there was added.</summary>
    Added,
}

/// <summary>What the ledger is to book and has booked, as rows.</summary>
public static class PostingRows
{
    /// <summary>The top-up itself. Its lot, and so whatever is taken back of it, has the payment's id.</summary>
    public static Task AddTopUpAsync(this NpgsqlConnection connection, Payment payment, CancellationToken token) =>
        connection.ChangeAsync("""
            insert into posting (id, payment, number, type, net, margin, fee, reference) values ($1, $1, 0, 'TopUp', $2, $3, $4, $5)
            on conflict (payment, number) do nothing
            """, token,
            payment.Id, payment.Parts.Net, payment.Parts.Margin, payment.Parts.Fee, Ids.Show(Ids.Payment, payment.Id));

    /// <summary>
    /// In the transaction that has changed a refund or a dispute: whoever dies after it leaves the posting, which somebody books.
    /// </summary>
    /// <param name="ofDispute">Whether a dispute is why, or a refund.</param>
    /// <param name="reference">What it stands for.</param>
    public static async Task<Step> AddStepAsync(
        this NpgsqlConnection connection, Payment payment, bool ofDispute, string reference, CancellationToken token)
    {
        if (payment.Status != Payment.Succeeded)
            return Step.None;
        var (taken, next, waits) = await connection.TakenAsync(payment.Id, token);
        if (waits)
            return Step.Waits;
        var target = Reversal.Target(
            payment.Parts, await connection.RefundsAsync(payment.Id, token), await connection.DisputesAsync(payment.Id, token));
        if (Reversal.Step(target, taken, ofDispute) is not var (type, amount))
            return Step.None;
        await connection.AddPostingAsync(payment, next, type, amount, reference, refund: null, token);
        return Step.Added;
    }

    /// <param name="refund">A refund that is refused when the wallet has not enough.</param>
    public static Task AddPostingAsync(
        this NpgsqlConnection connection, Payment payment, int number, PaymentPost type, Parts amount, string reference, Guid? refund,
        CancellationToken token) =>
        connection.ChangeAsync("""
            insert into posting (id, payment, number, type, net, margin, fee, reference, refund) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """, token,
            Ids.Derive(payment.Id, $"posting {number}"), payment.Id, number, type.ToString(), amount.Net, amount.Margin, amount.Fee,
            reference, Transactions.OrNull(refund));

    /// <summary>What was taken back, what the next posting's number is, and whether one waits to be booked.</summary>
    public static async Task<(Parts Taken, int Next, bool Waits)> TakenAsync(
        this NpgsqlConnection connection, Guid payment, CancellationToken token)
    {
        await using var query = connection.Sql(
            "select type, net, margin, fee, status, number from posting where payment = $1 order by number", payment);
        await using var row = await query.ExecuteReaderAsync(token);
        var (taken, next, waits) = (default(Parts), 0, false);
        while (await row.ReadAsync(token))
        {
            var amount = new Parts(row.GetInt64(1), row.GetInt64(2), row.GetInt64(3));
            (next, waits) = (row.GetInt32(5) + 1, waits || row.GetString(4) == "waiting");
            if (row.GetString(4) != "refused")
                taken += Enum.Parse<PaymentPost>(row.GetString(0)) switch
                {
                    PaymentPost.Refund or PaymentPost.Dispute => amount,
                    PaymentPost.RefundFailed or PaymentPost.DisputeWon => -amount,
                    _ => default,
                };
        }
        return (taken, next, waits);
    }
}
