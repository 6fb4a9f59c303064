using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>A wallet that is topped up by itself. Nano-dollars.</summary>
/// <param name="Below">It is topped up when it has less.</param>
/// <param name="Amount">By this, or by a multiple of it.</param>
/// <param name="Ceiling">Of all that is charged in a calendar month (UTC), in the unit of the amount.</param>
/// <param name="Reason">Of a pause.</param>
/// <param name="Failures">Attempts that were declined since the last that was not.</param>
/// <param name="NotBefore">After a decline.</param>
/// <param name="Crossing">The number of the fall that is answered, or of the next one.</param>
/// <param name="Tries">Payments that were begun for it.</param>
/// <param name="Payment">The one that is under way.</param>
public sealed record AutoTopUp(
    Guid Wallet, Guid Organization, Guid Project, Guid Customer, bool Test, long Below, long Amount, long Ceiling, string Status,
    string? Reason, int Failures, DateTimeOffset? NotBefore, long Crossing, int Tries, Guid? Payment)
{
    public const string Active = "active", Off = "off";

    /// <summary>A person is to do something first.</summary>
    public const string Paused = "paused";

    /// <summary>Why it pauses. The first waits for the open payment, which the owner can confirm; the others for another card.</summary>
    public const string Authentication = "authentication_required", CardDeclined = "card_declined", TooManyDeclines = "too_many_declines";

    /// <summary>
    /// Why it waits and does not pause. Stripe has refused the charge without asking the card's bank; the attempt was cancelled; the month
    /// has no room for it.
    /// </summary>
    public const string Refused = "charge_refused", Canceled = "canceled", AtCeiling = "monthly_ceiling";

    /// <summary>Its owner is asked to confirm the payment that is open.</summary>
    public bool AwaitsOwner => Status == Paused && Reason == Authentication;

    /// <summary>Pauses after declines, one after the other; after the last there is no further attempt.</summary>
    public static readonly IReadOnlyList<TimeSpan> Pauses = [TimeSpan.FromHours(1), TimeSpan.FromHours(4), TimeSpan.FromHours(16)];

    /// <summary>Whoever ends a pause without another card waits so long.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromHours(24);

    /// <summary>Declines that the same card will get again, whenever it is tried.</summary>
    static readonly HashSet<string> ForGood =
    [
        "card_not_supported", "expired_card", "fraudulent", "incorrect_number", "invalid_account", "lost_card", "merchant_blacklist",
        "pickup_card", "resource_missing", "restricted_card", "revocation_of_all_authorizations", "revocation_of_authorization",
        "security_violation", "stolen_card", "stop_payment_order", "transaction_not_allowed",
    ];

    /// <summary>
    /// How often the amount is charged at once, which closes the gap: with what is under way, and after what the customer owes is paid, the
    /// wallet is not below its mark any more; as far as ceiling and trust allow it. 0: nothing is charged. All in what reaches the wallet;
    /// only those two are in amounts.
    /// </summary>
    /// <param name="net">What the wallet gets of one amount.</param>
    /// <param name="underWay">What the wallet will get of payments that are paid or at the bank, and that its balance has not.</param>
    /// <param name="charged">In this month, what is under way included.</param>
    /// <param name="trusted">What its customer may top up at once, in the unit of the amount.</param>
    public long Increments(long balance, long owed, long underWay, long net, long charged, long trusted = long.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(net);
        var gap = (Int128)Below - balance - underWay + owed;
        if (balance >= Below || gap <= 0)
            return 0;
        var wanted = (gap + net - 1) / net;
        var room = Math.Min(Math.Max(0, Ceiling - charged), trusted) / Amount;
        return (long)Int128.Min(wanted, Math.Min(room, Quote.Most.Nanos / Amount));
    }

    /// <summary>The month's ceiling has no room for its amount once.</summary>
    /// <param name="charged">In this month, what is under way included.</param>
    public bool IsAtCeiling(long charged) => charged > Ceiling - Amount;

    /// <summary>When the month's ceiling counts anew: it is of a calendar month (UTC).</summary>
    public static DateTimeOffset NextMonth(DateTimeOffset now)
    {
        var utc = now.UtcDateTime;
        return new DateTimeOffset(utc.Year, utc.Month, 1, 0, 0, 0, TimeSpan.Zero).AddMonths(1);
    }

    /// <summary>Why the next attempt waits after that one.</summary>
    public static string ReasonAfter(Payment failed) => failed switch
    {
        { FailureCode: null, FailedCharges.Count: 0 } => Canceled,
        { Intent: null } => Refused,
        _ => CardDeclined,
    };

    /// <summary>What follows from the state of its payment, once: then it is not under way any more, or its owner is waited for.</summary>
    public AutoTopUp After(Payment payment, DateTimeOffset now)
    {
        if (Payment != payment.Id)
            return this;
        return payment.Status switch
        {
            Billing.Payment.Succeeded => this with
            {
                Payment = null, Crossing = Crossing + 1, Tries = 0, Failures = 0, NotBefore = null, Reason = null,
                Status = Status == Off ? Off : Active,
            },
            Billing.Payment.Open when AwaitsOwner => this,
            Billing.Payment.Open when Status == Off => this with { Payment = null },
            Billing.Payment.Open when payment.FailureCode is null or Authentication =>
                this with { Status = Paused, Reason = Authentication },
            Billing.Payment.Canceled when AwaitsOwner || Status == Off => this with { Payment = null },
            Billing.Payment.Open or Billing.Payment.Canceled => Declined(payment.FailureCode ?? Canceled, now),
            _ => this,
        };
    }

    AutoTopUp Declined(string code, DateTimeOffset now)
    {
        var failures = Failures + 1;
        var reason = ForGood.Contains(code) ? CardDeclined : failures > Pauses.Count ? TooManyDeclines : null;
        return this with
        {
            Payment = null, Failures = failures, Reason = reason, Status = reason is null ? Status : Paused,
            NotBefore = now + (reason is null ? Pauses[failures - 1] : LongestPause),
        };
    }
}

/// <summary>They as rows.</summary>
public static class AutoTopUpRows
{
    public const string Columns = """
        wallet, organization, project, customer, test, below, amount, ceiling, status, reason, failures, not_before, crossing, tries,
        payment
        """;

    public static async Task<AutoTopUp?> AutoTopUpAsync(this NpgsqlDataSource database, Guid wallet, CancellationToken token) =>
        await ReadAsync(database.Sql($"select {Columns} from auto_top_up where wallet = $1", wallet), token) is [var row] ? row : null;

    /// <summary>
    /// Runs <paramref name="change"/> with the wallet's row as it is now, which nobody else changes meanwhile, and commits. No call to
    /// anybody is made in it. Null: there is none.
    /// </summary>
    public static async Task<T?> WithAutoTopUpAsync<T>(
        this NpgsqlDataSource database, Guid wallet, Func<NpgsqlConnection, AutoTopUp, Task<T?>> change, CancellationToken token)
        where T : class
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        if (await ReadAsync(connection.Sql($"select {Columns} from auto_top_up where wallet = $1 for update", wallet), token)
            is not [var row])
            return null;
        var result = await change(connection, row);
        await transaction.CommitAsync(CancellationToken.None);
        return result;
    }

    /// <summary>What changes by itself.</summary>
    /// <param name="pause">Nobody looks before, unless something is told of the wallet.</param>
    public static Task UpdateAsync(this NpgsqlConnection connection, AutoTopUp next, TimeSpan pause, CancellationToken token) =>
        connection.ChangeAsync("""
            update auto_top_up set status = $2, reason = $3, failures = $4, not_before = $5, crossing = $6, tries = $7, payment = $8,
                due_at = now() + $9
            where wallet = $1
            """, token,
            next.Wallet, next.Status, next.Reason, next.Failures, next.NotBefore,
            next.Crossing, next.Tries, next.Payment, pause);

    /// <summary>What the wallet was charged by itself in this month: all that has not ended without being paid.</summary>
    public static async Task<long> ChargedThisMonthAsync(this NpgsqlConnection connection, Guid wallet, CancellationToken token)
    {
        await using var query = connection.Sql("""
            select coalesce(sum(amount), 0)::bigint from payment
            where wallet = $1 and crossing is not null and status <> 'canceled'
                and created_at >= date_trunc('month', now() at time zone 'utc') at time zone 'utc'
            """, wallet);
        return (long)(await query.ExecuteScalarAsync(token))!;
    }

    /// <summary>The latest that was charged by itself, or was to be. Null: there was none.</summary>
    public static async Task<Payment?> LatestChargeAsync(this NpgsqlDataSource database, Guid wallet, CancellationToken token) =>
        await PaymentRows.PaymentsAsync(
            database.Sql($"""
                select {PaymentRows.Columns} from payment where wallet = $1 and crossing is not null order by created_at desc limit 1
                """, wallet), token) is [var latest] ? latest : null;

    public static async Task<List<AutoTopUp>> ReadAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var _ = query;
        await using var row = await query.ExecuteReaderAsync(token);
        var found = new List<AutoTopUp>();
        while (await row.ReadAsync(token))
            found.Add(new(
                row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), row.GetGuid(3), row.GetBoolean(4), row.GetInt64(5), row.GetInt64(6),
                row.GetInt64(7), row.GetString(8), row.IsDBNull(9) ? null : row.GetString(9), row.GetInt32(10),
                row.IsDBNull(11) ? null : row.GetFieldValue<DateTimeOffset>(11), row.GetInt64(12), row.GetInt32(13),
                row.IsDBNull(14) ? null : row.GetGuid(14)));
        return found;
    }
}
