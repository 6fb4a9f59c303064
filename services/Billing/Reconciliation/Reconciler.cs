using System.Text;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>What one round found.</summary>
/// <param name="Events">Events that Stripe had told and that never came.</param>
/// <param name="Payments">Purchases that Stripe was asked about.</param>
/// <param name="Refunds">Refunds under way that were brought further.</param>
/// <param name="Bookings">Posts that waited for the ledger.</param>
/// <param name="Payouts">Payouts under way that were brought further, and those that were due by themselves.</param>
public sealed record Reconciled(int Events, int Payments, int Refunds, int Bookings, int Payouts = 0)
{
    public static Reconciled operator +(Reconciled a, Reconciled b) => new(
        a.Events + b.Events, a.Payments + b.Payments, a.Refunds + b.Refunds, a.Bookings + b.Bookings, a.Payouts + b.Payouts);
}

/// <summary>
/// Heals what webhooks do not bring. Each minute it reads Stripe's own list of events since it last did, and stores those that never came;
/// it books what waits, and asks after purchases and refunds whose end is not known. Each round is bounded; what is left is the next one's.
/// </summary>
public sealed class Reconciler(
    NpgsqlDataSource database, DatabaseReady ready, StripeModes modes, StripeCalls stripe, Intents intents, Purchases purchases,
    Refunds refunds, Bookings bookings, PayoutRounds payouts, EventWorker worker, TimeProvider time, ILogger<Reconciler> log)
    : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>Events may appear in the list a little later than the moment that they have.</summary>
    static readonly TimeSpan Overlap = TimeSpan.FromMinutes(5);

    /// <summary>How far back the first round looks. Stripe lists thirty days.</summary>
    static readonly TimeSpan FirstLook = TimeSpan.FromDays(3);

    const int MaxPages = 100, MaxPayments = 50, MaxRefunds = 50, MaxBookings = 200;

    /// <summary>A purchase is asked after so often at most: its events bring what happens sooner.</summary>
    static readonly TimeSpan PaymentEvery = TimeSpan.FromMinutes(30), RefundEvery = TimeSpan.FromMinutes(2);

    /// <summary>Who has not paid until then starts anew.</summary>
    static readonly TimeSpan PurchaseLife = TimeSpan.FromHours(24);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("reconciling with Stripe", Interval, token => RunAsync(everything: false, token), log, time, stoppingToken);
    }

    /// <param name="everything">Asks after all that is not over, however short a time ago somebody has.</param>
    public async Task<Reconciled> RunAsync(bool everything, CancellationToken token)
    {
        var found = new Reconciled(0, 0, 0, await BookAsync(token));
        foreach (var mode in modes.All.DistinctBy(mode => mode.Livemode))
            found = found with { Events = found.Events + await ReadEventsAsync(mode, token) };
        return found with
        {
            Payments = await AskAfterPaymentsAsync(everything ? TimeSpan.Zero : PaymentEvery, token),
            Refunds = await AskAfterRefundsAsync(everything ? TimeSpan.Zero : RefundEvery, token),
            Payouts = await payouts.RunAsync(everything, token),
        };
    }

    /// <summary>What a worker that died has left.</summary>
    async Task<int> BookAsync(CancellationToken token)
    {
        var payments = await PaymentRows.PaymentsAsync(
            database.Sql($"""
                select {PaymentRows.Columns} from payment where id in (select payment from posting where status = 'waiting' limit $1)
                """, MaxBookings),
            token);
        foreach (var payment in payments)
            await UnlessRefusedAsync(() => bookings.BookWaitingAsync(payment, token), payment.Id);
        return payments.Count;
    }

    async Task<int> ReadEventsAsync(StripeMode mode, CancellationToken token)
    {
        var (since, now, count) = (await ReadUntilAsync(mode, token), time.GetUtcNow(), 0);
        string? after = null;
        for (var page = 0; page < MaxPages; page++)
        {
            var (events, more) = await stripe.EventsAsync(mode, since, after, token);
            foreach (var one in events)
            {
                after = one.GetProperty("id").GetString();
                if (StripeEvent.Read(one) is { } told && told.Livemode == mode.Livemode
                    && await ReceiveEvent.KeepAsync(database, told, Encoding.UTF8.GetBytes(one.GetRawText()), token))
                    count++;
            }
            if (!more || events.Count == 0)
            {
                await NoteAsync(mode, now - Overlap, token);
                break;
            }
            if (page == MaxPages - 1)
                log.LogError("Stripe has told more since {Since} than one round reads: the oldest are not looked at", since);
        }
        if (count > 0)
        {
            log.LogWarning("{Count} events of Stripe had not come; they are handled now", count);
            worker.Wake();
        }
        Failpoint.Hit("billing.reconciler.read");
        return count;
    }

    async Task<DateTimeOffset> ReadUntilAsync(StripeMode mode, CancellationToken token)
    {
        await using var query = database.Sql("select until from events_read where livemode = $1", mode.Livemode);
        return await query.ExecuteScalarAsync(token) is DateTime until ? until : time.GetUtcNow() - FirstLook;
    }

    async Task NoteAsync(StripeMode mode, DateTimeOffset until, CancellationToken token)
    {
        await using var note = database.Sql("""
            insert into events_read (livemode, until) values ($1, $2)
            on conflict (livemode) do update set until = greatest(events_read.until, excluded.until)
            """, mode.Livemode, until);
        await note.ExecuteNonQueryAsync(token);
    }

    async Task<int> AskAfterPaymentsAsync(TimeSpan since, CancellationToken token)
    {
        var payments = await PaymentRows.PaymentsAsync(
            database.Sql($"""
                update payment set looked_at = now() where id in (
                    select id from payment where status in ('new', 'open', 'processing') and looked_at <= now() - $1
                    order by looked_at limit $2)
                returning {PaymentRows.Columns}
                """, since, MaxPayments),
            token);
        foreach (var payment in payments)
            await UnlessRefusedAsync(() => AskAfterAsync(payment, token), payment.Id);
        return payments.Count;
    }

    async Task AskAfterAsync(Payment payment, CancellationToken token)
    {
        var isOld = payment.CreatedAt < time.GetUtcNow() - PurchaseLife;
        if (modes.Of(payment.Test) is not { } mode || mode.Livemode != payment.Livemode)
            return;
        if (payment.Intent is not { } intent)
        {
            if (isOld)
                await purchases.ForgetAsync(payment, token);
            return;
        }
        payment = await intents.TakeAsync(payment, await stripe.IntentAsync(mode, intent, token), token);
        await bookings.BookWaitingAsync(payment, token);
        if (isOld && payment.Status == Payment.Open)
            await purchases.CancelAsync(mode, payment, token);
    }

    async Task<int> AskAfterRefundsAsync(TimeSpan since, CancellationToken token)
    {
        var under = await database.RefundsUnderWayAsync(since, MaxRefunds, token);
        foreach (var refund in under)
        {
            await using (var look = database.Sql("update refund set looked_at = now() where id = $1", refund.Id))
                await look.ExecuteNonQueryAsync(token);
            var payment = (await database.PaymentAsync(refund.Payment, token))!;
            // Each is asked for in its turn: one that Stripe has no answer to must not keep the others from theirs.
            await UnlessRefusedAsync(() => refunds.AdvanceAsync(payment, refund.Id, token), payment.Id);
        }
        return under.Count;
    }

    /// <summary>
    /// One that the ledger refuses, or that Stripe knows nothing of or says something else of, keeps none of the others waiting. Each round
    /// says it again: money was paid and is not where it should be.
    /// </summary>
    async Task UnlessRefusedAsync(Func<Task> ask, Guid payment)
    {
        try
        {
            await ask();
        }
        catch (Exception e) when (e is StripeRefusalException or NotOursException or InvalidOperationException)
        {
            log.LogError(e, "payment {Payment} cannot be reconciled with Stripe", Ids.Show(Ids.Payment, payment));
        }
    }
}
