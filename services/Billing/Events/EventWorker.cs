using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Takes events out of the table and has them handled, some at a time. An event is done when its effect has committed, and not before: one
/// whose worker dies is taken again. What cannot be handled is tried again with pauses that double, and then parked, where an operator sees
/// it. Several instances may run.
/// </summary>
public sealed class EventWorker(
    NpgsqlDataSource database, DatabaseReady ready, EventHandling handling, TimeProvider time, ILogger<EventWorker> log)
    : BackgroundService
{
    /// <summary>Events at once, and of them those of one organization.</summary>
    const int AtOnce = 12, OfOneOwner = 6;

    /// <summary>About two and a half days, from pauses of 2 s that double up to 4 hours.</summary>
    public const int MaxAttempts = 28;

    static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(2), LongestPause = TimeSpan.FromHours(4);

    /// <summary>Of what meets an outage: it is over for all events at once.</summary>
    static readonly TimeSpan FirstOutagePause = TimeSpan.FromSeconds(5), LongestOutagePause = TimeSpan.FromMinutes(5);

    /// <summary>Nobody else takes an event meanwhile. Handling one ends before.</summary>
    static readonly TimeSpan ClaimTime = TimeSpan.FromSeconds(60), HandlingTimeout = TimeSpan.FromSeconds(50);

    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);

    readonly WakeSignal _kept = new();
    readonly SemaphoreSlim _places = new(AtOnce);
    readonly OwnerPlaces _owners = new(OfOneOwner);

    sealed record Waiting(string Id, bool Livemode, byte[] Body, int Attempts, Guid Owner, int Outages);

    /// <summary>An event was stored.</summary>
    public void Wake() => _kept.Raise();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("Stripe's events", async token =>
        {
            await _places.WaitAsync(token);
            if (await ClaimAsync(token) is { } waiting)
                _ = HandleAndLeaveAsync(waiting, token);
            else
                await _kept.WaitAsync(PollInterval, token);
        }, log, time, stoppingToken);
    }

    /// <summary>A look at Stripe that takes long holds its own place alone.</summary>
    async Task HandleAndLeaveAsync(Waiting waiting, CancellationToken token)
    {
        try
        {
            await HandleAsync(waiting, token);
        }
        catch (Exception e)
        {
            // Its claim ends, and it is taken again.
            log.LogWarning(e, "event {Id} of Stripe was left", waiting.Id);
        }
        finally
        {
            if (_owners.GiveBack(waiting.Owner))
                _kept.Raise();
            _places.Release();
        }
    }

    /// <summary>Null, and the place is free again, when nothing waits. What credits somebody comes first.</summary>
    async Task<Waiting?> ClaimAsync(CancellationToken token)
    {
        Waiting? waiting = null;
        try
        {
            waiting = await TakeAsync(token);
            if (waiting is not null)
                _owners.Take(waiting.Owner);
            return waiting;
        }
        finally
        {
            if (waiting is null)
                _places.Release();
        }
    }

    async Task<Waiting?> TakeAsync(CancellationToken token)
    {
        await using var claim = database.Sql("""
            update stripe_event set next_at = now() + $1, attempts = attempts + 1 where (id, livemode) in (
                select id, livemode from stripe_event where status = 'waiting' and next_at <= now() and owner <> all($2)
                order by type <> 'payment_intent.succeeded', next_at limit 1 for update skip locked)
            returning id, livemode, body, attempts, owner, outages
            """, ClaimTime, _owners.Full);
        await using var row = await claim.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new(row.GetString(0), row.GetBoolean(1), row.GetFieldValue<byte[]>(2), row.GetInt32(3), row.GetGuid(4),
                row.GetInt32(5))
            : null;
    }

    async Task HandleAsync(Waiting waiting, CancellationToken stopping)
    {
        using var limit = stopping.WithTimeout(HandlingTimeout);
        try
        {
            Failpoint.Hit("billing.event.claimed");
            var handled = await handling.HandleAsync(StripeEvent.Read(waiting.Body)!, limit.Token);
            Failpoint.Hit("billing.event.handled");
            await MarkAsync(waiting, handled.Reason is null ? "done" : "ignored", handled.Reason, stopping);
        }
        catch (NotOursException e)
        {
            log.LogWarning("event {Id} of Stripe is parked: {Reason}", waiting.Id, e.Message);
            await MarkAsync(waiting, "parked", e.Message, stopping);
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            await PostponeAsync(waiting, e, stopping);
        }
    }

    /// <summary>Of a card nothing is kept that nothing follows from: such a body has its owner's name, mail and addresses.</summary>
    async Task MarkAsync(Waiting waiting, string status, string? reason, CancellationToken token)
    {
        await using var mark = database.Sql("""
            update stripe_event set status = $3, reason = $4,
                body = case when $3 <> 'parked' and type like 'payment\_method.%' then '' else body end
            where id = $1 and livemode = $2
            """, waiting.Id, waiting.Livemode, status, reason);
        await mark.ExecuteNonQueryAsync(token);
    }

    /// <summary>While something is away, an event waits and is not counted as tried: it is never parked for that.</summary>
    async Task PostponeAsync(Waiting waiting, Exception e, CancellationToken token)
    {
        var outage = IsOutage(e);
        if (!outage && waiting.Attempts >= MaxAttempts)
        {
            log.LogError(e, "event {Id} of Stripe is parked", waiting.Id);
            await MarkAsync(waiting, "parked", e.Message, token);
            return;
        }
        if (e is not NotYetException && !outage)
            log.LogError(e, "event {Id} of Stripe cannot be handled yet", waiting.Id);
        await using var postpone = database.Sql(
            "update stripe_event set next_at = now() + $3, attempts = $4, outages = $5, reason = $6 where id = $1 and livemode = $2",
            waiting.Id, waiting.Livemode, outage ? PauseInOutage(waiting.Outages + 1) : PauseAfter(waiting.Attempts),
            outage ? waiting.Attempts - 1 : waiting.Attempts, outage ? waiting.Outages + 1 : 0, e.Message);
        await postpone.ExecuteNonQueryAsync(token);
    }

    /// <summary>What our key may not do it may not do later, unless a person changes that: such an event is parked in the end.</summary>
    public static bool IsOutage(Exception e) => e is not StripeForbiddenException && Problems.IsOutage(e);

    public static TimeSpan PauseAfter(int attempts) => Doubled(FirstPause, attempts, LongestPause);

    /// <param name="outages">Attempts one after the other that have met one.</param>
    public static TimeSpan PauseInOutage(int outages) => Doubled(FirstOutagePause, outages, LongestOutagePause);

    static TimeSpan Doubled(TimeSpan first, int times, TimeSpan longest) =>
        times <= MaxAttempts && first * Math.Pow(2, times - 1) is var pause && pause < longest ? pause : longest;
}
