using System.Collections.Concurrent;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>What one round found.</summary>
/// <param name="Events">Events that Stripe had told and that never came.</param>
/// <param name="Payments">Purchases that Stripe was asked about.</param>
/// <param name="Refunds">Refunds under way that were brought further.</param>
/// <param name="Postings">Posts that waited for the ledger.</param>
/// <param name="Payouts">Payouts under way that were brought further, and those that were due by themselves.</param>
/// <param name="Failed">What could not be brought further; the log says why, and the next round tries it again.</param>
public sealed record Reconciled(int Events, int Payments, int Refunds, int Postings, int Payouts, int Failed);

/// <summary>
/// Heals what webhooks do not bring. Each minute it reads Stripe's own list of events since it last did, and stores those that never came;
/// it books what waits, and asks after purchases and refunds whose end is not known. Each round is bounded; what is left is the next one's.
/// </summary>
public sealed class Reconciler(
    NpgsqlDataSource database, DatabaseReady ready, StripeModes modes, StripeCalls stripe, Intents intents, Purchases purchases,
    Refunds refunds, Postings postings, AutoCharges charges, Redemptions redemptions, PayoutRounds payouts, Subscriptions subscriptions,
    EventWorker worker, TimeProvider time, ILogger<Reconciler> log)
    : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>Events may appear in the list a little later than the moment that they have.</summary>
    static readonly TimeSpan Overlap = TimeSpan.FromMinutes(5);

    /// <summary>How far back the first round looks. Stripe lists thirty days.</summary>
    static readonly TimeSpan FirstLook = TimeSpan.FromDays(3);

    /// <summary>
    /// What is read at once. Stripe lists the newest first, so what was not read to its end is read again, by halves. Its moments are
    /// whole seconds.
    /// </summary>
    static readonly TimeSpan LongestStretch = TimeSpan.FromMinutes(10), ShortestStretch = TimeSpan.FromSeconds(1);

    /// <summary>Of each mode, as its last one was read to its end or not. Only how fast it goes depends on it.</summary>
    readonly ConcurrentDictionary<bool, TimeSpan> _stretches = [];

    const int MaxPages = 100, MaxPagesOfStretch = 20, MaxPayments = 50, MaxRefunds = 50, MaxPostings = 200;

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
        var failed = new Failures();
        var postings = await BookAsync(failed, token);
        var events = 0;
        foreach (var mode in modes.All.DistinctBy(mode => mode.Livemode))
            await UnlessItFailsAsync(
                async () => events += await ReadEventsAsync(mode, token), $"the events of the {mode.Name} mode", failed, token);
        var (asked, refunded) = (
            await AskAfterPaymentsAsync(everything ? TimeSpan.Zero : PaymentEvery, failed, token),
            await AskAfterRefundsAsync(everything ? TimeSpan.Zero : RefundEvery, failed, token));
        var paidOut = (Count: 0, Failed: 0);
        await UnlessItFailsAsync(async () => paidOut = await payouts.RunAsync(everything, token), "payouts", failed, token);
        await UnlessItFailsAsync(
            async () => failed.Count += await subscriptions.RunAsync(everything, token), "subscriptions", failed, token);
        return new(events, asked, refunded, postings, paidOut.Count, failed.Count + paidOut.Failed);
    }

    sealed class Failures
    {
        public int Count { get; set; }
    }

    /// <summary>What a worker that died has left.</summary>
    async Task<int> BookAsync(Failures failed, CancellationToken token)
    {
        var payments = await PaymentRows.PaymentsAsync(
            database.Sql($"""
                select {PaymentRows.Columns} from payment where id in (select payment from posting where status = 'waiting' limit $1)
                """, MaxPostings),
            token);
        foreach (var payment in payments)
            await UnlessItFailsAsync(() => postings.BookWaitingAsync(payment, token), NameOf(payment.Id), failed, token);
        var claimed = await redemptions.WaitingAsync(token);
        foreach (var (of, redemption) in claimed)
            await UnlessItFailsAsync(
                () => redemptions.BookAsync(of, redemption, token), $"redemption {Ids.Show(Ids.Redemption, redemption.Id)}", failed, token);
        return payments.Count + claimed.Count;
    }

    async Task<int> ReadEventsAsync(StripeMode mode, CancellationToken token)
    {
        var (since, now, count, pages) = (await ReadUntilAsync(mode, token), time.GetUtcNow(), 0, 0);
        while (since < now && pages < MaxPages)
        {
            var stretch = _stretches.GetValueOrDefault(mode.Livemode, LongestStretch);
            var to = since + stretch < now ? since + stretch : now;
            var (kept, read, isAll) = await ReadStretchAsync(
                mode, since, to == now ? now + Overlap : to, stretch > ShortestStretch ? MaxPagesOfStretch : MaxPages, token);
            (count, pages) = (count + kept, pages + read);
            _stretches[mode.Livemode] = Next(stretch, isAll);
            if (!isAll && stretch == ShortestStretch)
            {
                log.LogError("Stripe has told more in one second, {Since}, than one round reads", since);
                break;
            }
            if (!isAll)
                continue;
            await NoteAsync(mode, to == now ? now - Overlap : to, token);
            since = to;
        }
        if (count > 0)
        {
            log.LogWarning("{Count} events of Stripe had not come; they are handled now", count);
            worker.Wake();
        }
        Failpoint.Hit("billing.reconciler.read");
        return count;
    }

    /// <summary>Half as much after one that was too much, in whole seconds, and twice as much after one that was not.</summary>
    public static TimeSpan Next(TimeSpan stretch, bool isAll) => TimeSpan.FromSeconds(Math.Clamp(
        Math.Floor(isAll ? stretch.TotalSeconds * 2 : stretch.TotalSeconds / 2), ShortestStretch.TotalSeconds,
        LongestStretch.TotalSeconds));

    /// <summary>How many events were new, how many pages were read, and whether those were all.</summary>
    async Task<(int Kept, int Pages, bool IsAll)> ReadStretchAsync(
        StripeMode mode, DateTimeOffset from, DateTimeOffset to, int maxPages, CancellationToken token)
    {
        var kept = 0;
        string? after = null;
        for (var page = 1; page <= maxPages; page++)
        {
            var (events, more) = await stripe.EventsAsync(mode, from, to, after, token);
            foreach (var one in events)
            {
                after = one.GetProperty("id").GetString();
                if (StripeEvent.Read(one) is { } told && told.Livemode == mode.Livemode
                    && await ReceiveEvent.KeepAsync(database, told, Encoding.UTF8.GetBytes(one.GetRawText()), token))
                    kept++;
            }
            if (!more || events.Count == 0)
                return (kept, page, true);
        }
        return (kept, maxPages, false);
    }

    async Task<DateTimeOffset> ReadUntilAsync(StripeMode mode, CancellationToken token)
    {
        await using var query = database.Sql("select until from events_read where livemode = $1", mode.Livemode);
        return await query.ExecuteScalarAsync(token) is DateTime until ? until : time.GetUtcNow() - FirstLook;
    }

    async Task NoteAsync(StripeMode mode, DateTimeOffset until, CancellationToken token)
    {
        await database.ChangeAsync("""
            insert into events_read (livemode, until) values ($1, $2)
            on conflict (livemode) do update set until = greatest(events_read.until, excluded.until)
            """, token, mode.Livemode, until);
    }

    async Task<int> AskAfterPaymentsAsync(TimeSpan since, Failures failed, CancellationToken token)
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
            await UnlessItFailsAsync(() => AskAfterAsync(payment, token), NameOf(payment.Id), failed, token);
        return payments.Count;
    }

    async Task AskAfterAsync(Payment payment, CancellationToken token)
    {
        if (payment.OffSession is not null)
        {
            await charges.AdvanceAsync(payment, isNew: false, token);
            return;
        }
        var isOld = payment.CreatedAt < time.GetUtcNow() - PurchaseLife;
        if (modes.Of(payment.Test) is not { } mode)
            return;
        // Of Stripe's other world, or of none that we know.
        if (mode.Livemode != payment.Livemode || payment.Intent is not { } intent)
        {
            if (isOld)
                await purchases.ForgetAsync(payment, token);
            return;
        }
        if (await purchases.KnownAsync(mode, intent, token) is not { } said)
        {
            await purchases.ForgetAsync(payment, token);
            return;
        }
        payment = await intents.TakeAsync(payment, said, token);
        await postings.BookWaitingAsync(payment, token);
        if (isOld && payment.Status == Payment.Open)
            await purchases.CancelAsync(mode, payment, token);
    }

    async Task<int> AskAfterRefundsAsync(TimeSpan since, Failures failed, CancellationToken token)
    {
        var under = await database.RefundsUnderWayAsync(since, MaxRefunds, token);
        foreach (var refund in under)
        {
            await database.ChangeAsync("update refund set looked_at = now() where id = $1", token, refund.Id);
            var payment = (await database.PaymentAsync(refund.Payment, token))!;
            // Each is asked for in its turn: one that Stripe has no answer to must not keep the others from theirs.
            await UnlessItFailsAsync(() => refunds.AdvanceAsync(payment, refund.Id, token), NameOf(payment.Id), failed, token);
        }
        return under.Count;
    }

    static string NameOf(Guid payment) => $"payment {Ids.Show(Ids.Payment, payment)}";

    /// <summary>
    /// What fails keeps nothing else waiting: a key that Stripe does not accept is of one mode alone, and what the ledger refuses is one
    /// payment. Each round says it again: money was paid and is not where it should be.
    /// </summary>
    async Task UnlessItFailsAsync(Func<Task> ask, string what, Failures failed, CancellationToken token)
    {
        try
        {
            await ask();
        }
        catch (Exception e) when (!token.IsCancellationRequested)
        {
            failed.Count++;
            if (Problems.IsOutage(e))
                log.LogWarning("{What} cannot be reconciled with Stripe now: {Message}", what, e.Message);
            else
                log.LogError(e, "{What} cannot be reconciled with Stripe", what);
        }
    }
}
