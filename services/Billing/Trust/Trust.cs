using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>A customer's standing before a top-up.</summary>
public sealed record Standing(TopUpLimits Limits, TopUpRecord Record, DateTimeOffset At)
{
    public Problem? RefuseFrozen() => Limits.RefuseFrozen(Record);

    /// <inheritdoc cref="TopUpLimits.Room"/>
    public long Room => Limits.Room(Record);

    public Problem? RefusePurchase(Money amount) => Limits.RefusePurchase(Record, amount, At);

    public Problem? Refuse(Money amount) => Limits.Refuse(Record, amount, At);
}

/// <summary>
/// Protects a project against stolen cards: each top-up, bought or charged by itself, is weighed against what its customer and its cards
/// have done. Which card pays is known when it has paid; a page that has a secret asks nobody of us, so a customer whose cards are declined
/// too often loses all that it has open: purchases, payments to confirm, setups of cards.
/// </summary>
public sealed class Trust(
    NpgsqlDataSource database, StripeCalls stripe, Purchases purchases, SavedCards cards, LedgerClient ledger, SessionsClient sessions,
    StripeModes modes, TimeProvider time)
{
    public async Task<Standing> OfAsync(StripeMode mode, Guid project, Guid customer, CancellationToken token)
    {
        var limits = await LimitsAsync(mode, project, token);
        await using var query = database.Sql("""
            with own as (
                select coalesce(paid_at, created_at) at, amount from payment
                where customer = $1 and status in ('processing', 'succeeded')),
            begun as (
                select created_at from payment
                where customer = $1 and crossing is null and created_at > now() - interval '1 hour'),
            cards as (
                select p.fingerprint, count(*) many, min(p.paid_at) since from payment p
                where p.project = $2 and p.test = $3 and p.paid_at > now() - interval '24 hours' and p.fingerprint <> ''
                    and p.fingerprint in (
                        select fingerprint from payment where customer = $1
                        union select fingerprint from card_holder where livemode = $5
                            and wallet in (select wallet from payment where customer = $1 union select wallet from auto_top_up
                                where customer = $1))
                group by 1 order by 2 desc limit 1)
            select
                (select count(*)::integer from own where at > now() - interval '24 hours'),
                (select coalesce(sum(amount), 0)::bigint from own where at > now() - interval '24 hours'),
                (select min(at) from own where at > now() - interval '24 hours'),
                coalesce((select many::integer from cards), 0), (select since from cards),
                not exists (select from own where at <= now() - make_interval(days => $4)),
                exists (select from top_up_freeze where customer = $1 and lifted_at is null),
                (select count(*)::integer from begun), (select min(created_at) from begun)
            """, customer, project, mode.Test, limits.FirstDays, mode.Livemode);
        await using var row = await query.ExecuteReaderAsync(token);
        await row.ReadAsync(token);
        return new(
            limits,
            new(
                row.GetInt32(0), row.GetInt64(1), Moment(2), row.GetInt32(3), Moment(4), row.GetBoolean(5), row.GetBoolean(6))
            {
                BegunThisHour = row.GetInt32(7), FirstBegun = Moment(8),
            },
            time.GetUtcNow());

        DateTimeOffset? Moment(int column) => row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);
    }

    /// <summary>What a payment's charges say of its cards: which has paid, and which were declined. Repeatable.</summary>
    public async Task NoteAsync(StripeMode mode, Payment payment, CancellationToken token)
    {
        var isNews = payment.Status == Payment.Succeeded ? payment.Fingerprint is null : payment.FailureCode is not null;
        if (!isNews || payment.Intent is null)
            return;
        foreach (var charge in await stripe.ChargesAsync(mode, payment.Intent, token))
            await NoteAsync(payment, charge, token);
        await DecideAsync(mode, payment.Customer, payment.Project, payment.Wallet, token);
    }

    /// <summary>What the attempts to save a card with a setup say of cards that were declined. Repeatable.</summary>
    /// <param name="setup">Stripe's SetupIntent.</param>
    public async Task NoteAsync(Guid wallet, string setup, CancellationToken token)
    {
        if (await ledger.StateAsync(wallet, token) is not { } owner || modes.Of(owner.Test) is not { } mode)
            return;
        foreach (var attempt in await stripe.SetupAttemptsAsync(mode, setup, token))
            if (attempt is { Status: "failed", SetupError.Type: "card_error" })
                await NoteDeclinedAsync(
                    attempt.Id, owner.Customer, null, attempt.PaymentMethodDetails?.Card?.Fingerprint, attempt.Created, token);
        await DecideAsync(mode, owner.Customer, owner.Project, wallet, token);
    }

    async Task DecideAsync(StripeMode mode, Guid customer, Guid project, Guid wallet, CancellationToken token)
    {
        Failpoint.Hit("billing.trust.noted");
        if (await FreezeAsync(mode, customer, project, token))
            await CloseAsync(mode, customer, wallet, token);
    }

    /// <summary>What is open has a secret, and who has that can pay, or try cards on it.</summary>
    public async Task CloseAsync(StripeMode mode, Guid customer, Guid wallet, CancellationToken token)
    {
        var open = await PaymentRows.PaymentsAsync(
            database.Sql($"select {PaymentRows.Columns} from payment where customer = $1 and status = 'open'", customer), token);
        foreach (var payment in open)
            if (modes.Of(payment.Test, payment.Livemode) is { } of)
                await purchases.CancelAsync(of, payment, token);
        await cards.CancelAsync(mode, wallet, token);
    }

    async Task NoteAsync(Payment payment, global::Stripe.Charge charge, CancellationToken token)
    {
        var card = charge.PaymentMethodDetails?.Card?.Fingerprint ?? charge.PaymentMethodDetails?.UsBankAccount?.Fingerprint;
        if (charge.Status == "succeeded")
            await database.ChangeAsync(
                $"update payment set fingerprint = case when {IsErased} then '' else $2 end where id = $1", token, payment.Id, card ?? "",
                payment.Customer);
        if (charge.Status == "failed")
            await NoteDeclinedAsync(charge.Id, payment.Customer, payment.Id, card, charge.Created, token);
    }

    /// <summary>In SQL: of the customer <c>$3</c> no card is known any more, not even by its fingerprint.</summary>
    const string IsErased = "exists (select from erasure where erasure.customer = $3)";

    /// <param name="attempt">Stripe's id of it.</param>
    /// <param name="payment">Null: the card was to be saved.</param>
    async Task NoteDeclinedAsync(string attempt, Guid customer, Guid? payment, string? card, DateTime at, CancellationToken token)
    {
        await database.ChangeAsync($"""
            insert into declined (charge, payment, customer, fingerprint, created_at)
            values ($1, $2, $3, case when {IsErased} then null else $4 end, least($5, now()))
            on conflict (charge) do nothing
            """, token, attempt, payment, customer, card, new DateTimeOffset(at.ToUniversalTime()));
    }

    /// <summary>True when the customer's top-ups are frozen, since now or since before.</summary>
    async Task<bool> FreezeAsync(StripeMode mode, Guid customer, Guid project, CancellationToken token)
    {
        var limits = await LimitsAsync(mode, project, token);
        if (limits.Declines is { } most)
            await database.ChangeAsync("""
                with counted as (
                    select count(*)::integer many from declined
                    where customer = $1 and created_at > now() - make_interval(mins => $5)
                        and created_at > coalesce((select lifted_at from top_up_freeze where customer = $1), '-infinity'))
                insert into top_up_freeze as f (customer, project, test, declines) select $1, $2, $3, many from counted where many >= $4
                on conflict (customer) do update
                set declines = excluded.declines, frozen_at = now(), lifted_at = null, lifted_by = null where f.lifted_at is not null
                """, token, customer, project, mode.Test, most, limits.DeclineMinutes);
        await using var query = database.Sql(
            "select exists (select from top_up_freeze where customer = $1 and lifted_at is null)", customer);
        return await query.ExecuteScalarAsync(token) is true;
    }

    /// <summary>What an operator has set while the gateway runs, or what the seed file says, or what the program says.</summary>
    async Task<TopUpLimits> LimitsAsync(StripeMode mode, Guid project, CancellationToken token)
    {
        if (await OperatorsLimitsAsync(mode, project, token) is { } set)
            return set;
        return (await sessions.TermsAsync(project, token))?.TopUpLimits is { } said ? TopUpLimits.Of(said)
            : mode.IsSandbox ? TopUpLimits.None : TopUpLimits.Usual;
    }

    async Task<TopUpLimits?> OperatorsLimitsAsync(StripeMode mode, Guid project, CancellationToken token)
    {
        await using var query = database.Sql("""
            select per_day, per_card_and_day, first_amount, first_days, declines, decline_minutes, begun_per_hour from top_up_limits
            where project = $1 and test = $2
            """, project, mode.Test);
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new(
                Number(0), Number(1), row.IsDBNull(2) ? null : row.GetInt64(2), row.GetInt32(3), Number(4), row.GetInt32(5))
            {
                BegunPerHour = row.GetInt32(6),
            }
            : null;

        int? Number(int column) => row.IsDBNull(column) ? null : row.GetInt32(column);
    }
}
