using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>A top-up of a wallet: our row, which is there before Stripe is asked for anything.</summary>
/// <param name="Amount">What was asked for, nano-dollars.</param>
/// <param name="Cents">What the card pays.</param>
/// <param name="Parts">Whose that is.</param>
/// <param name="Intent">Stripe's PaymentIntent; null until we know it.</param>
public sealed record Payment(
    Guid Id, Guid Organization, Guid Project, Guid Customer, Guid Wallet, bool Test, bool Livemode, long Amount, long Cents, Parts Parts,
    string Status, string? Intent, DateTimeOffset CreatedAt)
{
    /// <summary>Nobody may know of it but us.</summary>
    public const string New = "new";

    /// <summary>The customer is to pay, perhaps again.</summary>
    public const string Open = "open";

    /// <summary>The bank has it.</summary>
    public const string Processing = "processing";

    public const string Succeeded = "succeeded", Canceled = "canceled";

    /// <summary>Of the latest attempt that failed.</summary>
    public string? FailureCode { get; init; }

    public string? FailureMessage { get; init; }

    /// <summary>Attempts that were told of, the latest hundred: each once, also when it is read again after the next one.</summary>
    public IReadOnlyList<string> FailedCharges { get; init; } = [];

    const int MaxFailedCharges = 100;

    /// <summary>With one more attempt that has failed; the same payment when it is known, or when none has.</summary>
    public Payment WithFailed(string? charge) => charge is null || FailedCharges.Contains(charge)
        ? this
        : this with { FailedCharges = [.. FailedCharges.TakeLast(MaxFailedCharges - 1), charge] };

    public DateTimeOffset? PaidAt { get; init; }

    /// <summary>Of the card that has paid, the same for whoever has it. Empty: it has none. Null: nobody has looked.</summary>
    public string? Fingerprint { get; init; }

    /// <summary>Nobody is there to confirm it: what it is charged for, and how. Null: its customer buys.</summary>
    public OffSession? OffSession { get; init; }

    /// <summary>By which Stripe has taxed it; null: Stripe has not.</summary>
    public string? TaxCalculation { get; init; }

    /// <summary>As the customer sees it: after an attempt that failed, it can try again.</summary>
    public string ShownStatus => Status switch
    {
        New => Open,
        Open when FailureCode is not null => "failed",
        var other => other,
    };

    /// <summary>
    /// Where a payment goes from here. What was paid stays paid, and what was cancelled is cancelled unless it was paid after all: what
    /// somebody read of Stripe before that may arrive later.
    /// </summary>
    public static string Forward(string from, string to) => (from, to) switch
    {
        (Succeeded, _) => Succeeded,
        (Canceled, not Succeeded) => Canceled,
        _ => to,
    };
}

/// <summary>Why a payment or a payout has failed, as callers get it.</summary>
public sealed record Failure(string Code, string? Message);

/// <summary>A payment with a saved card, because a wallet fell below its mark.</summary>
/// <param name="Crossing">Which fall of the wallet it answers.</param>
/// <param name="Attempt">Counted from 1 for each fall: a decline does not give its number back.</param>
/// <param name="Holder">Stripe's customer.</param>
/// <param name="Method">Stripe's PaymentMethod.</param>
public sealed record OffSession(long Crossing, int Attempt, string Holder, string Method);

/// <summary>Payments as rows.</summary>
public static class PaymentRows
{
    public const string Columns = """
        id, organization, project, customer, wallet, test, livemode, amount, cents, net, margin, fee, status, intent, created_at,
        failure_code, failure_message, failed_charges, paid_at, crossing, attempt, holder, method, fingerprint, tax_calculation
        """;

    public static Task<Payment?> PaymentAsync(this NpgsqlDataSource database, Guid id, CancellationToken token) =>
        OneAsync(database.Sql($"select {Columns} from payment where id = $1", id), token);

    public static Task<Payment?> PaymentOfIntentAsync(this NpgsqlDataSource database, string intent, CancellationToken token) =>
        OneAsync(database.Sql($"select {Columns} from payment where intent = $1", intent), token);

    /// <summary>The wallet's purchase that is not over yet; not one that is charged by itself.</summary>
    public static Task<Payment?> OpenPaymentAsync(this NpgsqlDataSource database, Guid wallet, CancellationToken token) =>
        OneAsync(
            database.Sql(
                $"select {Columns} from payment where wallet = $1 and crossing is null and status in ('new', 'open', 'processing')",
                wallet),
            token);

    /// <summary>The row, which nobody else changes until the end of the transaction.</summary>
    public static async Task<Payment> LockAsync(this NpgsqlConnection connection, Guid payment, CancellationToken token) =>
        await OneAsync(connection.Sql($"select {Columns} from payment where id = $1 for update", payment), token)
            ?? throw new InvalidOperationException($"there is no payment {payment:N}");

    public static async Task<List<Payment>> PaymentsAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var _ = query;
        await using var row = await query.ExecuteReaderAsync(token);
        var payments = new List<Payment>();
        while (await row.ReadAsync(token))
            payments.Add(Read(row));
        return payments;
    }

    /// <summary>False when the wallet has a purchase that is not over.</summary>
    public static async Task<bool> TryAddAsync(this NpgsqlDataSource database, Payment payment, CancellationToken token)
    {
        return await database.ChangeAsync("""
            insert into payment (id, organization, project, customer, wallet, test, livemode, amount, cents, net, margin, fee)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            on conflict (wallet) where status in ('new', 'open', 'processing') and crossing is null do nothing
            """, token,
            payment.Id, payment.Organization, payment.Project, payment.Customer, payment.Wallet, payment.Test, payment.Livemode,
            payment.Amount, payment.Cents, payment.Parts.Net, payment.Parts.Margin, payment.Parts.Fee) == 1;
    }

    /// <summary>
    /// One that is charged by itself. Whoever adds it has locked what says that it may be. False when the wallet has one that is not over:
    /// perhaps one of which nobody knows whether Stripe has charged it.
    /// </summary>
    public static async Task<bool> TryAddAsync(this NpgsqlConnection connection, Payment payment, CancellationToken token) =>
        await connection.ChangeAsync("""
            insert into payment (
                id, organization, project, customer, wallet, test, livemode, amount, cents, net, margin, fee, crossing, attempt, holder,
                method)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
            on conflict (wallet) where status in ('new', 'open', 'processing') and crossing is not null do nothing
            """, token,
            payment.Id, payment.Organization, payment.Project, payment.Customer, payment.Wallet, payment.Test, payment.Livemode,
            payment.Amount, payment.Cents, payment.Parts.Net, payment.Parts.Margin, payment.Parts.Fee, payment.OffSession!.Crossing,
            payment.OffSession.Attempt, payment.OffSession.Holder, payment.OffSession.Method) == 1;

    static async Task<Payment?> OneAsync(NpgsqlCommand query, CancellationToken token) =>
        await PaymentsAsync(query, token) is [var payment] ? payment : null;

    static Payment Read(NpgsqlDataReader row) => new(
        row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), row.GetGuid(3), row.GetGuid(4), row.GetBoolean(5), row.GetBoolean(6),
        row.GetInt64(7), row.GetInt64(8), new(row.GetInt64(9), row.GetInt64(10), row.GetInt64(11)), row.GetString(12), Text(row, 13),
        row.GetFieldValue<DateTimeOffset>(14))
    {
        FailureCode = Text(row, 15), FailureMessage = Text(row, 16), FailedCharges = row.GetFieldValue<string[]>(17),
        PaidAt = row.IsDBNull(18) ? null : row.GetFieldValue<DateTimeOffset>(18),
        OffSession = row.IsDBNull(19) ? null : new(row.GetInt64(19), row.GetInt32(20), row.GetString(21), row.GetString(22)),
        Fingerprint = Text(row, 23), TaxCalculation = Text(row, 24),
    };

    static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);
}
