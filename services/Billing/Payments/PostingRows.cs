using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

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
            insert into posting (id, payment, number, type, net, margin, fee, reference, project, test)
            values ($1, $1, 0, 'TopUp', $2, $3, $4, $5, $6, $7)
            on conflict (payment, number) do nothing
            """, token,
            payment.Id, payment.Parts.Net, payment.Parts.Margin, payment.Parts.Fee, Ids.Show(Ids.Payment, payment.Id),
            payment.Project, payment.Test);

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
            insert into posting (id, payment, number, type, net, margin, fee, reference, refund, project, test)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """, token,
            Ids.Derive(payment.Id, $"posting {number}"), payment.Id, number, type.ToString(), amount.Net, amount.Margin, amount.Fee,
            reference, refund, payment.Project, payment.Test);

    /// <summary>What of the top-up itself has paid what its customer owed.</summary>
    public static async Task<long> OwedPaidAsync(this NpgsqlConnection connection, Guid payment, CancellationToken token)
    {
        await using var query = connection.Sql("select owed_paid from posting where payment = $1 and number = 0", payment);
        return await query.ExecuteScalarAsync(token) is long paid ? paid : 0;
    }

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
