using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>An object of Stripe's says that it is of one of our payments, and is another than that.</summary>
public sealed class NotOursException(string reason) : Exception(reason);

/// <summary>
/// What Stripe says of a payment, as it was read from there, becomes what we know of it. What an event says of it is never taken: it only
/// makes us look.
/// </summary>
public sealed class Intents(NpgsqlDataSource database, OutboxSignal outbox, TimeProvider time)
{
    const string Currency = "usd";

    /// <summary>
    /// Takes over the state. Of a payment that has succeeded, the ledger's post is written with it, once for ever:
    /// <see cref="Postings"/> books it.
    /// </summary>
    public async Task<Payment> TakeAsync(Payment payment, PaymentIntent intent, CancellationToken token)
    {
        RequireSame(payment, intent);
        var taken = await database.WithLockedAsync(payment.Id, (connection, row) => TakeAsync(connection, row, intent, token), token);
        Failpoint.Hit("billing.payment.taken");
        outbox.Raise();
        return taken;
    }

    async Task<Payment> TakeAsync(NpgsqlConnection connection, Payment row, PaymentIntent intent, CancellationToken token)
    {
        if (row.Intent is { } known && known != intent.Id)
            throw new NotOursException($"the payment's intent is {known}");
        var failure = intent.LastPaymentError;
        var next = row.WithFailed(failure is null ? null : failure.Charge ?? $"{failure.PaymentMethod?.Id} {failure.Code}") with
        {
            Status = Payment.Forward(row.Status, StatusOf(intent)),
            Intent = intent.Id,
            FailureCode = failure is null ? null : failure.DeclineCode ?? failure.Code ?? failure.Type,
            FailureMessage = failure?.Message,
            TaxCalculation = intent.Hooks?.Inputs?.Tax?.Calculation,
        };
        if (next.Status == Payment.Succeeded)
            next = next with { FailureCode = null, FailureMessage = null, FailedCharges = row.FailedCharges };
        await connection.ChangeAsync("""
            update payment set status = $2, intent = $3, failure_code = $4, failure_message = $5, failed_charges = $6, looked_at = now(),
                tax_calculation = $7, paid_at = case when $2 = 'succeeded' then coalesce(paid_at, now()) end
            where id = $1
            """, token,
            row.Id, next.Status, intent.Id, next.FailureCode, next.FailureMessage, next.FailedCharges.ToArray(), next.TaxCalculation);
        if (next.Status == Payment.Succeeded)
            await connection.AddTopUpAsync(next, token);
        if (next.FailedCharges.Count > 0 && next.FailedCharges != row.FailedCharges)
            await connection.TellAsync(next, Contracts.EventTypes.TopUpFailed, FailureOf(next), time.GetUtcNow(), token);
        return next;
    }

    /// <summary>What is told of an attempt that has failed.</summary>
    public static object FailureOf(Payment payment) => new
    {
        customerId = Ids.Show(Ids.Customer, payment.Customer),
        walletId = Ids.Show(Ids.Wallet, payment.Wallet),
        paymentId = Ids.Show(Ids.Payment, payment.Id),
        amount = new Money(payment.Amount),
        code = payment.FailureCode,
        message = payment.FailureMessage,
    };

    static string StatusOf(PaymentIntent intent) => intent.Status switch
    {
        "succeeded" => Payment.Succeeded,
        "canceled" => Payment.Canceled,
        "processing" => Payment.Processing,
        _ => Payment.Open,
    };

    /// <summary>Whoever has our account's keys can write our ids onto an object of their own.</summary>
    public static void RequireSame(Payment payment, PaymentIntent intent)
    {
        Require(intent.Livemode == payment.Livemode, "it is of the other mode");
        Require(intent.Amount == payment.Cents, $"its amount is {intent.Amount} and not {payment.Cents}");
        Require(intent.Currency == Currency, $"its currency is {intent.Currency}");
        Require(
            intent.Status != "succeeded" || intent.AmountReceived == payment.Cents,
            $"{intent.AmountReceived} was received of {payment.Cents}");
        Require(Says(intent, StripeCalls.PaymentKey, Ids.Show(Ids.Payment, payment.Id)), "it names another payment");
        Require(Says(intent, StripeCalls.WalletKey, Ids.Show(Ids.Wallet, payment.Wallet)), "it names another wallet");
        Require(payment.OffSession is null || intent.CustomerId == payment.OffSession.Holder, "it is of another customer");
    }

    static bool Says(PaymentIntent intent, string key, string value) =>
        intent.Metadata is { } said && said.TryGetValue(key, out var found) && found == value;

    static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new NotOursException(otherwise);
    }
}
