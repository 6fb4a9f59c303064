using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>A customer's standing before a top-up.</summary>
public sealed record Standing(TopUpLimits Limits, TopUpRecord Record, DateTimeOffset At)
{
    public Problem? Refuse(Money amount) => Limits.Refuse(Record, amount, At);
}

/// <summary>
/// Protects a project against stolen cards: each top-up, bought or charged by itself, is weighed against what its customer and its cards
/// have done. Which card pays is known when it has paid; a page that has its secret asks nobody of us, so a customer whose cards are
/// declined too often loses the purchase that it has open, too.
/// </summary>
public sealed class Trust(NpgsqlDataSource database, StripeCalls stripe, Purchases purchases, StripeModes modes, TimeProvider time)
{
    public async Task<Standing> OfAsync(StripeMode mode, Guid project, Guid customer, CancellationToken token)
    {
        var limits = await LimitsAsync(mode, project, token);
        await using var query = database.Sql("""
            with own as (
                select coalesce(paid_at, created_at) at, amount from payment
                where customer = $1 and status in ('processing', 'succeeded')),
            cards as (
                select p.fingerprint, count(*) many, min(p.paid_at) since from payment p
                where p.project = $2 and p.test = $3 and p.paid_at > now() - interval '24 hours' and p.fingerprint in (
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
                exists (select from top_up_freeze where customer = $1 and lifted_at is null)
            """, customer, project, mode.Test, limits.FirstDays, mode.Livemode);
        await using var row = await query.ExecuteReaderAsync(token);
        await row.ReadAsync(token);
        return new(
            limits,
            new(
                row.GetInt32(0), row.GetInt64(1), Moment(2), row.GetInt32(3), Moment(4), row.GetBoolean(5), row.GetBoolean(6)),
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
        Failpoint.Hit("billing.trust.noted");
        if (await FreezeAsync(mode, payment, token) && await database.OpenPaymentAsync(payment.Wallet, token) is { Intent: not null } open
            && modes.Of(open.Test) is { } of && of.Livemode == open.Livemode)
            await purchases.CancelAsync(of, open, token);
    }

    async Task NoteAsync(Payment payment, global::Stripe.Charge charge, CancellationToken token)
    {
        var card = charge.PaymentMethodDetails?.Card?.Fingerprint ?? charge.PaymentMethodDetails?.UsBankAccount?.Fingerprint;
        if (charge.Status == "succeeded")
        {
            await using var paid = database.Sql(
                "update payment set fingerprint = $2 where id = $1", payment.Id, card ?? "");
            await paid.ExecuteNonQueryAsync(token);
        }
        if (charge.Status != "failed")
            return;
        await using var declined = database.Sql("""
            insert into declined (charge, customer, payment, fingerprint, created_at) values ($1, $2, $3, $4, least($5, now()))
            on conflict (charge) do nothing
            """, charge.Id, payment.Customer, payment.Id, card,
            new DateTimeOffset(charge.Created.ToUniversalTime()));
        await declined.ExecuteNonQueryAsync(token);
    }

    /// <summary>True when the customer's top-ups are frozen, since now or since before.</summary>
    async Task<bool> FreezeAsync(StripeMode mode, Payment payment, CancellationToken token)
    {
        var limits = await LimitsAsync(mode, payment.Project, token);
        if (limits.Declines is { } most)
        {
            await using var freeze = database.Sql("""
                with counted as (
                    select count(*)::integer many from declined
                    where customer = $1 and created_at > now() - make_interval(mins => $5)
                        and created_at > coalesce((select lifted_at from top_up_freeze where customer = $1), '-infinity'))
                insert into top_up_freeze as f (customer, project, test, declines) select $1, $2, $3, many from counted where many >= $4
                on conflict (customer) do update
                set declines = excluded.declines, frozen_at = now(), lifted_at = null, lifted_by = null where f.lifted_at is not null
                """, payment.Customer, payment.Project, payment.Test, most, limits.DeclineMinutes);
            await freeze.ExecuteNonQueryAsync(token);
        }
        await using var query = database.Sql(
            "select exists (select from top_up_freeze where customer = $1 and lifted_at is null)", payment.Customer);
        return await query.ExecuteScalarAsync(token) is true;
    }

    async Task<TopUpLimits> LimitsAsync(StripeMode mode, Guid project, CancellationToken token)
    {
        await using var query = database.Sql("""
            select per_day, per_card_and_day, first_amount, first_days, declines, decline_minutes from top_up_limits
            where project = $1 and test = $2
            """, project, mode.Test);
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new(
                Number(0), Number(1), row.IsDBNull(2) ? null : row.GetInt64(2), row.GetInt32(3), Number(4), row.GetInt32(5))
            : mode.IsSandbox ? TopUpLimits.None : TopUpLimits.Usual;

        int? Number(int column) => row.IsDBNull(column) ? null : row.GetInt32(column);
    }
}
