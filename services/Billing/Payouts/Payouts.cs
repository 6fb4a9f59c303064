using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>
/// Pays out what was earned, in steps of which each may be repeated by anybody: our row, the ledger's reservation under the row's id,
/// Stripe's transfer under the row's key, and the ledger's end of it. No answer is no failure: without a clear one of Stripe's the
/// reservation stays, and the payout is pending. Only Stripe's refusal releases it, or a day in which Stripe never heard of it.
/// </summary>
public sealed class Payouts(
    NpgsqlDataSource database, LedgerClient ledger, ConnectCalls stripe, StripeModes modes, OutboxSignal outbox, TimeProvider time)
{
    /// <summary>Brings a payout as far as it goes now. An outage surfaces as an exception, and leaves it where it is.</summary>
    /// <param name="again">Stripe may have been asked for its transfer before.</param>
    public async Task<Payout> AdvanceAsync(Guid id, bool again, CancellationToken token)
    {
        var payout = await RowAsync(id, token);
        if (payout is { Status: Payout.New } or { Status: Payout.Refused, Settled: false })
            payout = await ReserveAsync(payout, again, token);
        if (payout.Status == Payout.Reserved && modes.Of(payout.Test, payout.Livemode) is { } mode)
            payout = await TransferAsync(mode, payout, again, token);
        return await SettleAsync(payout, token);
    }

    /// <param name="again">Its caller was told that it is pending, so one that is refused must be told of.</param>
    async Task<Payout> ReserveAsync(Payout payout, bool again, CancellationToken token)
    {
        var answer = await BookAsync(payout, payout.Id, PayoutPost.Payout, payout.Nanos, token);
        Failpoint.Hit("billing.payout.reserved");
        var isReserved = answer.Outcome == PaymentOutcome.Done;
        var (code, failure) = isReserved || !again ? (null, null) : ("margin_changed", "The margin had become too small for it.");
        var moved = await MoveAsync(
            payout, Payout.New, isReserved ? Payout.Reserved : Payout.Refused, token, code: code, failure: failure);
        if (moved.Status != Payout.Refused)
            return moved;
        // Somebody else was told before that there is not enough, and has told so.
        if (isReserved)
            await ReleaseAsync(moved, token);
        return await EndAsync(moved, token);
    }

    /// <summary>The ledger has the payout's end.</summary>
    async Task<Payout> EndAsync(Payout payout, CancellationToken token)
    {
        await database.ChangeAsync("update payout set settled = true where id = $1", token, payout.Id);
        return payout with { Settled = true };
    }

    async Task<Payout> TransferAsync(StripeMode mode, Payout payout, bool again, CancellationToken token)
    {
        var transfer = again || !payout.IsYoung ? await stripe.FindTransferAsync(mode, payout, token) : null;
        if (transfer is null && !payout.IsYoung)
            return !payout.IsOld ? payout : await MoveAsync(
                payout, Payout.Reserved, Payout.Failed, token, code: StripeRefusalException.NoAnswer,
                failure: StripeErrors.Say(StripeRefusalException.NoAnswer));
        try
        {
            transfer ??= await stripe.CreateTransferAsync(mode, payout, token);
        }
        catch (StripeRefusalException e)
        {
            return await MoveAsync(
                payout, Payout.Reserved, Payout.Failed, token, code: e.Code ?? "refused", failure: StripeErrors.Say(e.Code));
        }
        Failpoint.Hit("billing.payout.asked");
        return await TakeAsync(mode, payout, transfer, token);
    }

    /// <summary>Takes over what Stripe says of a payout's transfer, and what came back of it.</summary>
    public async Task<Payout> TakeAsync(StripeMode mode, Payout payout, Transfer transfer, CancellationToken token)
    {
        RequireSame(payout, transfer);
        payout = await MoveAsync(payout, Payout.Reserved, Payout.Paid, token, transfer.Id);
        Failpoint.Hit("billing.payout.taken");
        if (payout.Transfer != transfer.Id)
            throw new NotOursException($"transfer {transfer.Id} is of a payout that is {payout.Status} ({payout.Transfer ?? "none"})");
        if (transfer.AmountReversed > payout.Reversed)
            foreach (var reversal in await stripe.ReversalsAsync(mode, transfer.Id, token))
                await database.ChangeAsync(
                    "insert into payout_reversal (id, payout, cents) values ($1, $2, $3) on conflict (id) do nothing", token,
                    reversal.Id, payout.Id, reversal.Amount);
        return await SettleAsync(payout, token);
    }

    /// <summary>Whoever has our account's keys can write our ids onto a transfer of their own.</summary>
    public static void RequireSame(Payout payout, Transfer transfer)
    {
        Require(transfer.Livemode == payout.Livemode, "it is of the other mode");
        Require(transfer.Amount == payout.Cents, $"its amount is {transfer.Amount} and not {payout.Cents}");
        Require(transfer.Currency == StripeCalls.Currency, $"its currency is {transfer.Currency}");
        Require(transfer.DestinationId == payout.Destination, $"it went to {transfer.DestinationId}");
        Require(
            StripeCalls.Says(transfer.Metadata, ConnectCalls.PayoutKey, Ids.Show(Ids.Payout, payout.Id)), "it names another payout");

        void Require(bool holds, string otherwise)
        {
            if (!holds)
                throw new NotOursException($"transfer {transfer.Id}: {otherwise}");
        }
    }

    /// <summary>Has the ledger book the payout's end, and what came back of it. Done when it returns.</summary>
    async Task<Payout> SettleAsync(Payout payout, CancellationToken token)
    {
        if (payout is { Settled: false, Status: Payout.Paid or Payout.Failed })
        {
            if (payout.Status == Payout.Paid)
                await MustBookAsync(payout, Ids.Derive(payout.Id, "paid"), PayoutPost.PayoutPaid, payout.Nanos, token);
            else
                await ReleaseAsync(payout, token);
            Failpoint.Hit("billing.payout.settled");
            await EndAsync(payout, token);
        }
        foreach (var (reversal, cents) in await UnbookedAsync(payout.Id, token))
        {
            await MustBookAsync(
                payout, Ids.Derive(payout.Id, reversal), PayoutPost.PayoutReversed, cents * Quote.NanosPerCent, token);
            await database.ChangeAsync("update payout_reversal set booked = true where id = $1", token, reversal);
        }
        return await RowAsync(payout.Id, token);
    }

    Task ReleaseAsync(Payout payout, CancellationToken token) =>
        MustBookAsync(payout, Ids.Derive(payout.Id, "failed"), PayoutPost.PayoutFailed, payout.Nanos, token);

    async Task MustBookAsync(Payout payout, Guid id, PayoutPost type, long nanos, CancellationToken token)
    {
        if (await BookAsync(payout, id, type, nanos, token) is { Outcome: not PaymentOutcome.Done } answer)
            throw new InvalidOperationException($"{type} of payout {payout.Id:N} is not booked: {answer.Outcome}");
    }

    async Task<BookedPayment> BookAsync(Payout payout, Guid id, PayoutPost type, long nanos, CancellationToken token)
    {
        var answer = await ledger.BookPayoutAsync(
            new(
                id, type, payout.Organization, payout.Project, payout.Test, nanos, Ids.Show(Ids.Payout, payout.Id)),
            token);
        return answer.Outcome is PaymentOutcome.Done or PaymentOutcome.NotEnough
            ? answer
            : throw new InvalidOperationException($"{type} of payout {payout.Id:N} is not booked: {answer.Outcome}");
    }

    /// <summary>From one status to the next, told in the same transaction. One that is not there any more stays where it is.</summary>
    /// <returns>The row as it is then.</returns>
    async Task<Payout> MoveAsync(
        Payout payout, string from, string to, CancellationToken token, string? transfer = null, string? code = null,
        string? failure = null)
    {
        await using (var connection = await database.OpenConnectionAsync(token))
        await using (var transaction = await connection.BeginTransactionAsync(token))
        {
            await connection.RunAsync(Database.FreeWhenIdle, token);
            var moved = await connection.ChangeAsync(
                "update payout set status = $3, transfer = $4, failure_code = $5, failure = $6 where id = $1 and status = $2", token,
                payout.Id, from, to, transfer, code, failure);
            if (moved == 1 && EventOf(to, code) is { } type)
                await connection.TellAsync(
                    Ids.Derive(payout.Project, payout.Test ? "payouts:test" : "payouts:live"), payout.Organization, payout.Project,
                    payout.Test, type,
                    DataOf(payout with { Transfer = transfer, FailureCode = code, Failure = failure }), time.GetUtcNow(), token);
            await transaction.CommitAsync(CancellationToken.None);
        }
        outbox.Raise();
        return await RowAsync(payout.Id, token);
    }

    static string? EventOf(string status, string? code) => status switch
    {
        Payout.Reserved => Contracts.EventTypes.PayoutCreated,
        Payout.Paid => Contracts.EventTypes.PayoutPaid,
        Payout.Failed or Payout.Refused when code is not null => Contracts.EventTypes.PayoutFailed,
        _ => null,
    };

    static object DataOf(Payout payout) => new
    {
        payoutId = Ids.Show(Ids.Payout, payout.Id),
        accountId = payout.Destination,
        amount = new Money(payout.Nanos),
        currency = "USD",
        automatic = payout.Automatic,
        transferId = payout.Transfer,
        code = payout.FailureCode,
        message = payout.Failure,
    };

    async Task<Payout> RowAsync(Guid id, CancellationToken token) =>
        await database.PayoutAsync(id, token) ?? throw new InvalidOperationException($"there is no payout {id:N}");

    async Task<List<(string Id, long Cents)>> UnbookedAsync(Guid payout, CancellationToken token)
    {
        await using var query = database.Sql("select id, cents from payout_reversal where payout = $1 and not booked", payout);
        await using var row = await query.ExecuteReaderAsync(token);
        var reversals = new List<(string, long)>();
        while (await row.ReadAsync(token))
            reversals.Add((row.GetString(0), row.GetInt64(1)));
        return reversals;
    }
}
