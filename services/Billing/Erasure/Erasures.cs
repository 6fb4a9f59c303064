using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Forgets customers that were deleted: at Stripe whoever has saved their cards, and here what was known of the cards and what Stripe has
/// told of the persons. Payments, their postings and documents stay. Everything may be repeated; who dies in between repeats it. A card
/// with which a payment is under way is forgotten when that is over.
/// </summary>
public sealed class Erasures(
    NpgsqlDataSource database, DatabaseReady ready, StripeModes modes, StripeCalls stripe, Trust trust, TimeProvider time,
    ILogger<Erasures> log)
    : BackgroundService
{
    static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(5);

    /// <summary>It is somebody else's after the first, and twice as late after each attempt that was in vain.</summary>
    static readonly TimeSpan FirstPause = TimeSpan.FromMinutes(1), LongestPause = TimeSpan.FromDays(1);

    /// <summary>Shorter than the first pause: nobody else begins meanwhile.</summary>
    static readonly TimeSpan ErasingTimeout = TimeSpan.FromSeconds(50);

    readonly WakeSignal _owed = new();

    sealed record Owed(Guid Customer, Guid Wallet);

    sealed record Holder(bool Livemode, string Customer);

    /// <summary>An erasure is owed.</summary>
    public void Wake() => _owed.Raise();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("erasures", async token =>
        {
            if (await TakeAsync(token) is { } owed)
                await TryEraseAsync(owed, token);
            else
                await _owed.WaitAsync(PollInterval, token);
        }, log, time, stoppingToken);
    }

    async Task<Owed?> TakeAsync(CancellationToken token)
    {
        await using var take = database.Sql($"""
            update erasure set attempts = attempts + 1, due_at = now() + {Database.Pause("$1", "$2")}
            where customer = (
                select customer from erasure where done_at is null and due_at <= now() order by due_at limit 1 for update skip locked)
            returning customer, wallet
            """, FirstPause, LongestPause);
        await using var row = await take.ExecuteReaderAsync(token);
        return await row.ReadAsync(token) ? new(row.GetGuid(0), row.GetGuid(1)) : null;
    }

    /// <summary>One that cannot be erased now keeps no other from it.</summary>
    async Task TryEraseAsync(Owed owed, CancellationToken stopping)
    {
        using var limit = stopping.WithTimeout(ErasingTimeout);
        try
        {
            await EraseAsync(owed, limit.Token);
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            if (Problems.IsOutage(e))
                log.LogWarning("{Customer} is erased later: {Message}", Ids.Show(Ids.Customer, owed.Customer), e.Message);
            else
                log.LogError(e, "{Customer} cannot be erased", Ids.Show(Ids.Customer, owed.Customer));
        }
    }

    async Task EraseAsync(Owed owed, CancellationToken token)
    {
        // Who has a secret could still pay into a wallet that nobody can use.
        foreach (var mode in modes.All)
            await trust.CloseAsync(mode, owed.Customer, owed.Wallet, token);
        if (await IsChargedAsync(owed, token))
            return;
        var holders = await HoldersAsync(owed, token);
        foreach (var holder in holders)
        {
            var mode = modes.OfLivemode(holder.Livemode)
                ?? throw new InvalidOperationException($"{holder.Customer} is of a mode of Stripe's that is not set up");
            await stripe.DeleteCustomerAsync(mode, holder.Customer, token);
            Failpoint.Hit("billing.erasure.deleted");
        }
        await ForgetAsync(owed, [.. holders.Select(holder => holder.Customer)], token);
    }

    /// <summary>Ends what charges by itself. True while a payment of it is under way: its end is looked for by Stripe's customer.</summary>
    async Task<bool> IsChargedAsync(Owed owed, CancellationToken token)
    {
        await database.ChangeAsync(
            "update auto_top_up set status = 'off', reason = null, due_at = now() where wallet = $1 and status <> 'off'", token,
            owed.Wallet);
        await using var query = database.Sql("""
            select exists (
                select from payment where wallet = $1 and crossing is not null and status in ('new', 'open', 'processing'))
            """, owed.Wallet);
        return await query.ExecuteScalarAsync(token) is true;
    }

    async Task<List<Holder>> HoldersAsync(Owed owed, CancellationToken token)
    {
        await using var query = database.Sql("""
            select livemode, customer from card_holder where wallet = $1 and customer is not null
            union all select livemode, stripe from subscriber where customer = $2 and stripe is not null
            """, owed.Wallet, owed.Customer);
        await using var row = await query.ExecuteReaderAsync(token);
        var holders = new List<Holder>();
        while (await row.ReadAsync(token))
            holders.Add(new(row.GetBoolean(0), row.GetString(1)));
        return holders;
    }

    /// <summary>
    /// The bytes of an event have names, mail and post addresses of who paid. What waits is still to be understood, and has them until
    /// then. A customer of Stripe's that has become known meanwhile is kept, and the next attempt's.
    /// </summary>
    async Task ForgetAsync(Owed owed, string[] deleted, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        await connection.ChangeAsync("""
            with theirs as (
                select customer as id from card_holder where wallet = $1 union select method from card_holder where wallet = $1
                union select holder from payment where wallet = $1 union select method from payment where wallet = $1
                union select intent from card_setup where wallet = $1
                union select stripe from subscriber where customer = $2)
            update stripe_event set body = '' where status in ('done', 'ignored') and (
                about = any(array(select id from theirs)) or holder = any(array(select id from theirs))
                or intent = any(array(select intent from payment where wallet = $1)))
            """, token, owed.Wallet, owed.Customer);
        await connection.ChangeAsync("""
            update card_holder set customer = null, method = null, brand = null, last4 = null, exp_month = null, exp_year = null,
                fingerprint = null, setup = null
            where wallet = $1 and customer = any($2)
            """, token, owed.Wallet, deleted);
        await connection.ChangeAsync(
            "update card_setup set status = 'canceled' where wallet = $1 and status in ('new', 'open')", token, owed.Wallet);
        await connection.ChangeAsync(
            "update payment set fingerprint = '' where wallet = $1 and fingerprint is distinct from ''", token, owed.Wallet);
        await connection.ChangeAsync("update declined set fingerprint = null where customer = $1", token, owed.Customer);
        await connection.ChangeAsync("delete from mail where customer = $1", token, owed.Customer);
        await connection.ChangeAsync("""
            update erasure set attempts = 0, done_at = now()
            where customer = $1 and not exists (select from card_holder where wallet = $2 and card_holder.customer is not null)
                and not exists (select from subscriber where subscriber.customer = $1 and stripe is not null and stripe <> all($3))
            """, token, owed.Customer, owed.Wallet, deleted);
        await transaction.CommitAsync(CancellationToken.None);
    }
}
