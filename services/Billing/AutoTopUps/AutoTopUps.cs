using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Tops up wallets that have fallen below their mark. What is decided follows from our rows and the ledger's state alone, under a lock of
/// the wallet's row, so it is without meaning who looks, how many, and how often. An event of the ledger makes us look at once; without one
/// each wallet is looked at every <see cref="CheckEvery"/>. Several instances may run.
/// </summary>
public sealed class AutoTopUps(
    NpgsqlDataSource database, DatabaseReady ready, StripeModes modes, LedgerClient ledger, SavedCards cards, AutoCharges charges,
    Trust trust, Postings postings, MailSettings mail, OutboxSignal outbox, TimeProvider time, ILogger<AutoTopUps> log)
    : BackgroundService
{
    public static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(15);

    static readonly TimeSpan AskEvery = TimeSpan.FromMinutes(5);

    static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    /// <summary>Wallets of one round, and looked at in parallel.</summary>
    const int MaxAtOnce = 500, InParallel = 8;

    readonly WakeSignal _due = new();

    /// <summary>Something was told of this wallet. That it is due is in its row, whoever looks.</summary>
    public async Task TellAsync(Guid wallet, CancellationToken token)
    {
        await using var due = database.Sql(
            "update auto_top_up set due_at = now() where wallet = $1 and (status = 'active' or payment is not null)", wallet);
        if (await due.ExecuteNonQueryAsync(token) > 0)
            _due.Raise();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("topping up wallets", async token =>
        {
            if (await RunAsync(token) < MaxAtOnce)
                await _due.WaitAsync(PollInterval, token);
        }, log, time, stoppingToken);
    }

    /// <returns>How many wallets were due.</returns>
    public async Task<int> RunAsync(CancellationToken token)
    {
        var due = await AutoTopUpRows.ReadAsync(
            database.Sql($"""
                update auto_top_up set due_at = now() + $1 where wallet in (
                    select wallet from auto_top_up where due_at <= now() and (status = 'active' or payment is not null)
                    order by due_at limit $2 for update skip locked)
                returning {AutoTopUpRows.Columns}
                """, CheckEvery, MaxAtOnce),
            token);
        var below = (await ledger.BelowAsync(
            [.. due.Where(row => row.Payment is null).Select(row => new BelowMark(row.Wallet, row.Below))], token)).ToHashSet();
        await Parallel.ForEachAsync(
            due.Where(row => row.Payment is not null || below.Contains(row.Wallet)),
            new ParallelOptions { MaxDegreeOfParallelism = InParallel, CancellationToken = token },
            async (row, stop) => await LookAsync(row.Wallet, stop));
        return due.Count;
    }

    /// <summary>One that cannot be charged now keeps none of the others from it. It is due again.</summary>
    async Task LookAsync(Guid wallet, CancellationToken token)
    {
        try
        {
            await TopUpAsync(wallet, token);
        }
        catch (Exception e) when (!token.IsCancellationRequested)
        {
            if (Problems.IsOutage(e))
                log.LogWarning("{Wallet} is topped up later: {Message}", Ids.Show(Ids.Wallet, wallet), e.Message);
            else
                log.LogError(e, "{Wallet} cannot be topped up", Ids.Show(Ids.Wallet, wallet));
        }
    }

    /// <summary>Brings further what is under way, and begins a payment when the wallet needs one.</summary>
    public async Task TopUpAsync(Guid wallet, CancellationToken token)
    {
        await AdvanceAsync(wallet, token);
        if (await database.AutoTopUpAsync(wallet, token) is not { Status: AutoTopUp.Active, Payment: null } row
            || row.NotBefore > time.GetUtcNow() || modes.Of(row.Test) is not { } mode)
            return;
        var booked = await BookWaitingAsync(wallet, token);
        if (await charges.MayChargeAsync(wallet, row.Project, row.Customer, token) is not var (state, terms)
            || await cards.CardAsync(wallet, mode.Livemode, token) is not { } card)
            return;
        var standing = await trust.OfAsync(mode, row.Project, row.Customer, token);
        var payment = await database.WithAutoTopUpAsync<Payment>(
            wallet, (connection, now) => ClaimAsync(connection, row, now, mode, state, terms, card, standing, booked, token), token);
        if (payment is null)
        {
            outbox.Raise(); // the month's ceiling may be told
            return;
        }
        Failpoint.Hit("billing.auto.claimed");
        await charges.AdvanceAsync(payment, isNew: true, token);
    }

    /// <summary>
    /// Also what is left of attempts that are over for us. What its owner or a bank has is told by events: Stripe is asked after it seldom.
    /// </summary>
    async Task AdvanceAsync(Guid wallet, CancellationToken token)
    {
        var under = await PaymentRows.PaymentsAsync(
            database.Sql($"""
                with own as (select payment, status from auto_top_up where wallet = $1)
                select {PaymentRows.Columns} from payment p
                where wallet = $1 and crossing is not null and (
                    status = 'new'
                    or (status in ('open', 'processing') and (
                        looked_at < now() - $2 or not exists (select from own where own.payment = p.id and own.status <> 'off')))
                    or (status in ('succeeded', 'canceled') and exists (select from own where own.payment = p.id)))
                order by created_at
                """, wallet, AskEvery),
            token);
        foreach (var payment in under)
            await charges.AdvanceAsync(payment, isNew: false, token);
    }

    /// <summary>
    /// What was paid is in the balance that is read next, or is booked later. When it was paid says nothing of that: the transaction that
    /// says so may have begun before this and commit after it.
    /// </summary>
    /// <returns>What is in that balance for certain: the wallet's part of all payments that the ledger has booked.</returns>
    async Task<long> BookWaitingAsync(Guid wallet, CancellationToken token)
    {
        var paid = await PaymentRows.PaymentsAsync(
            database.Sql($"""
                select {PaymentRows.Columns} from payment
                where wallet = $1 and id in (select payment from posting where status = 'waiting')
                """, wallet),
            token);
        foreach (var payment in paid)
            await postings.BookWaitingAsync(payment, token);
        await using var booked = database.Sql("""
            select coalesce(sum(p.net), 0)::bigint from payment p join posting on posting.payment = p.id
            where p.wallet = $1 and posting.number = 0 and posting.status = 'booked'
            """, wallet);
        return (long)(await booked.ExecuteScalarAsync(token))!;
    }

    /// <summary>
    /// The claim: a payment of this fall, in a number of its own, before Stripe is asked for anything. Null: somebody else has answered it,
    /// or nothing is to be charged.
    /// </summary>
    async Task<Payment?> ClaimAsync(
        NpgsqlConnection connection, AutoTopUp read, AutoTopUp now, StripeMode mode, WalletState state, ProjectTerms terms,
        SavedCard card, Standing standing, long booked, CancellationToken token)
    {
        if (now != read)
            return null;
        var one = Quote.Of(new(now.Amount), terms.MarkupPpm, terms.PlatformFeePpm);
        var underWay = await UnderWayAsync(connection, now.Wallet, booked, token);
        var charged = await connection.ChargedThisMonthAsync(now.Wallet, token);
        var count = now.Increments(state.Balance, state.Owed, underWay, one.Parts.Net, charged, standing.Room);
        if (now.IsAtCeiling(charged)
            && (now with { Ceiling = long.MaxValue }).Increments(state.Balance, state.Owed, underWay, one.Parts.Net, charged: 0) > 0)
            await connection.TellOfCeilingAsync(now, charged, mail.Server is not null, time.GetUtcNow(), token);
        if (count == 0 || standing.Refuse(new(now.Amount * count)) is not null)
            return null;
        var quote = Quote.Of(new(now.Amount * count), terms.MarkupPpm, terms.PlatformFeePpm);
        var payment = new Payment(
            Ids.New(), now.Organization, now.Project, now.Customer, now.Wallet, now.Test, mode.Livemode, quote.Amount, quote.Cents,
            quote.Parts, Payment.New, null, default)
        {
            OffSession = new(now.Crossing, now.Tries + 1, card.Holder, card.Method),
        };
        if (!await connection.TryAddAsync(payment, token))
            return null;
        await connection.UpdateAsync(now with { Tries = now.Tries + 1, Payment = payment.Id }, CheckEvery, token);
        return payment;
    }

    /// <summary>
    /// What comes: from banks, and what was paid and is not in the balance that was read. What a customer may or may not pay does not.
    /// </summary>
    /// <param name="booked">What the balance had for certain when it was read.</param>
    static async Task<long> UnderWayAsync(NpgsqlConnection connection, Guid wallet, long booked, CancellationToken token)
    {
        await using var query = connection.Sql("""
            select coalesce(sum(net), 0)::bigint - $2 from payment where wallet = $1 and status in ('processing', 'succeeded')
            """, wallet, booked);
        return (long)(await query.ExecuteScalarAsync(token))!;
    }
}
