using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/wallets/{id}/refunds {payment, amount?, reason?, force?}</c>: gives a part of a top-up back to the card, its fee included;
/// without an amount all that can be refunded. The wallet gives its part first, from what is left of that top-up, then Stripe is asked:
/// nobody spends what is on its way back. More than what is left is refused with both numbers, unless it is forced: then the customer owes
/// the rest.
/// </summary>
public static class RefundPayment
{
    const int MaxReason = 500, MaxAttempts = 4;

    public sealed record Request(string Payment, Money? Amount = null, string? Reason = null, bool Force = false);

    public static void MapRefundPayment(this WebApplication app) =>
        app.MapPost("/v1/wallets/{id}/refunds", RefundAsync).WithIdempotency();

    static async Task<IResult> RefundAsync(
        string id, HttpContext http, NpgsqlDataSource database, LedgerClient ledger, Refunds refunds, Postings postings,
        StripeModes modes, CancellationToken token)
    {
        var caller = http.Backend();
        var input = await Body.ReadAsync<Request>(http);
        if (input.Reason is { Length: > MaxReason })
            return Problems.Invalid("reason", $"'reason' may have at most {MaxReason} characters.");
        if (input.Amount is { } wrong && (wrong.Nanos <= 0 || wrong.Nanos % Quote.NanosPerCent != 0))
            return Problems.Invalid("amount", "'amount' must be above 0 and have at most two decimals.");
        if (!Ids.TryParse(Ids.Wallet, id, out var wallet) || !Ids.TryParse(Ids.Payment, input.Payment, out var of)
            || await database.PaymentAsync(of, token) is not { } payment
            || (payment.Wallet, payment.Project, payment.Test) != (wallet, caller.Project, caller.Test))
            return Problems.NotFound("payment") with { Param = "payment" };
        var refund = Idempotency.EffectId(http, caller, $"/v1/wallets/{Ids.Show(Ids.Wallet, wallet)}/refunds");
        if (modes.Of(payment.Test)?.Livemode != payment.Livemode)
            return StartTopUp.NotSetUp(payment.Test);
        if (await database.RefundAsync(refund, token) is { } known)
        {
            if (known.Payment != payment.Id || (input.Amount is { } asked && asked.Nanos != known.Cents * Quote.NanosPerCent))
                return Problems.IdempotencyReused;
        }
        else if (await AddAsync() is { } refused)
            return refused;
        await AdvanceAsync(refunds, payment, refund, token);
        var view = (await ListRefunds.ReadAsync(database, "r.id = $1", token, refund)).Single();
        return view.Status == "refused"
            ? Problems.Conflict("balance_changed", "The wallet has spent a part of it in this moment. Nothing was refunded.", "amount")
            : Results.Json(view, Defaults.Json, statusCode: 201);

        async Task<Problem?> AddAsync()
        {
            for (var i = 0; i < MaxAttempts; i++)
            {
                await postings.BookWaitingAsync(payment, token);
                var state = await ledger.StateAsync(wallet, token);
                var left = state is null ? 0 : Math.Min(state.Free, state.Lots.GetValueOrDefault(payment.Id));
                var (added, problem) = await database.WithLockedAsync(
                    payment.Id, (connection, row) => TryAddAsync(connection, row, input, refund, caller, left, token), token);
                if (problem is not null || added)
                    return problem;
            }
            return Problems.Unavailable;
        }
    }

    /// <summary>Without an answer of Stripe's the refund is on its way, and the reconciler brings it there.</summary>
    static async Task AdvanceAsync(Refunds refunds, Payment payment, Guid refund, CancellationToken token)
    {
        Failpoint.Hit("billing.refund.added");
        try
        {
            await refunds.AdvanceAsync(payment, refund, token);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            // It is pending.
        }
    }

    /// <summary>Not added and no problem: something of this payment is being booked, so nobody knows what is left.</summary>
    static async Task<(bool Added, Problem? Problem)> TryAddAsync(
        NpgsqlConnection connection, Payment payment, Request input, Guid id, Principal caller, long left, CancellationToken token)
    {
        if (payment.Status != Payment.Succeeded)
            return (false, Problems.Conflict("payment_not_paid", "Only a payment that has succeeded can be refunded.", "payment"));
        var (taken, next, waits) = await connection.TakenAsync(payment.Id, token);
        if (waits)
            return (false, null);
        var disputes = await connection.DisputesAsync(payment.Id, token);
        var cents = Reversal.CentsOf(payment.Cents, await connection.RefundsAsync(payment.Id, token), disputes);
        if (RefuseAll(payment, cents, disputes) is { } over)
            return (false, over);
        var most = input.Force ? payment.Cents - cents : Reversal.Refundable(payment.Parts, cents, left);
        var wanted = input.Amount is { } amount ? amount.Nanos / Quote.NanosPerCent : most;
        if (wanted > most || wanted == 0)
            return (false, Exceeds(input, new(most * Quote.NanosPerCent), new((payment.Cents - cents) * Quote.NanosPerCent)));
        await connection.ChangeAsync("""
            insert into refund (id, payment, cents, status, by_us, actor, reason) values ($1, $2, $3, 'new', true, $4, $5)
            """, token, id, payment.Id, wanted, caller.Actor(), input.Reason);
        var step = payment.Parts.Of((cents + wanted) * Quote.NanosPerCent) - taken;
        await connection.AddPostingAsync(
            payment, next, PaymentPost.Refund, step, Ids.Show(Ids.Refund, id), input.Force ? null : id, token);
        if (input.Force)
            await connection.ChangeAsync("update refund set status = 'booked' where id = $1", token, id);
        return (true, null);
    }

    /// <summary>Why nothing of a payment can be refunded, whatever the wallet has: its bank decides, or all of it is back.</summary>
    /// <param name="cents">What is taken back already.</param>
    public static Problem? RefuseAll(Payment payment, long cents, IReadOnlyList<Dispute> disputes) =>
        disputes.FirstOrDefault(dispute => dispute.IsUndecided) is { } open ? Problems.Conflict(
            "payment_disputed",
            $"Dispute {open.Id} of this payment is not decided ({open.Status}). Until it is, nothing of the payment can be refunded.",
            "payment")
        : cents < payment.Cents ? null
        : disputes.FirstOrDefault(dispute => dispute.Counts) is { } lost ? Problems.Conflict(
            "payment_disputed", $"Dispute {lost.Id} of this payment ({lost.Status}) has taken what was not refunded of it.", "payment")
        : Problems.Conflict(
            "payment_refunded", $"All {new Money(cents * Quote.NanosPerCent)} USD of this payment are refunded already.", "payment");

    /// <param name="refundable">As it was asked for.</param>
    /// <param name="forced">What could be refunded by force. It is no way out where that is not enough either.</param>
    static Problem Exceeds(Request asked, Money refundable, Money forced)
    {
        var message = asked.Amount is { } amount
            ? $"{amount} USD was to be refunded, and {refundable} USD of this payment can be: the rest is spent, held or refunded."
            : $"{refundable} USD of this payment can be refunded.";
        return Problems.Invalid("amount", !asked.Force && (asked.Amount?.Nanos ?? 0) <= forced.Nanos
            ? $"{message} With 'force' the customer owes what its wallet cannot give."
            : message);
    }
}
