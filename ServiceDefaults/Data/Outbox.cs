using System.Collections.Concurrent;
using System.Text.Json;
using LlmGateway.Contracts;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// An event that was decided in the same transaction as its cause. The relay publishes it afterwards, at least once, and deletes the row
/// after the broker's confirm. The message id is the row's id. A row may have a <c>subject</c>, which only SQL gives it: rows of one are
/// published one after the other, by their <c>position</c>, which the database gives to every row.
/// </summary>
public sealed class OutboxMessage
{
    public required Guid Id { get; init; }
    /// <summary>Full name of the event's CLR type in Contracts.</summary>
    public required string Type { get; init; }
    public required string Body { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>A relay works on the row until then. Afterwards another relay may take it.</summary>
    public DateTimeOffset ClaimedUntil { get; init; }
    public int Attempts { get; init; }

    public static OutboxMessage Of<TEvent>(TEvent message, DateTimeOffset now)
        where TEvent : class => new()
        {
            Id = Ids.New(),
            Type = typeof(TEvent).FullName!,
            Body = JsonSerializer.Serialize(message, Defaults.Json),
            CreatedAt = now,
        };

    public static void Configure(ModelBuilder model) => model.Entity<OutboxMessage>(message =>
    {
        message.HasKey(m => m.Id);
        message.Property(m => m.Body).HasColumnType("jsonb");
    });
}

/// <summary>Wakes the relay right after a commit. The relay also polls: a signal that is lost costs a moment, not an event.</summary>
public sealed class OutboxSignal
{
    readonly WakeSignal _committed = new();

    public void Raise() => _committed.Raise();

    internal Task WaitAsync(TimeSpan atMost, CancellationToken token) => _committed.WaitAsync(atMost, token);
}

public static class OutboxRegistration
{
    public static void AddOutbox(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<OutboxSignal>();
        builder.Services.AddHostedService<OutboxRelay>();
    }
}

/// <summary>
/// Claims rows, commits the claim (no lock is held while publishing), publishes with confirms, and deletes. While the broker is away the
/// rows wait unclaimed. A row that itself cannot be published, or that comes back because a queue of <see cref="KnownQueues"/> is missing,
/// waits twice as long each time, up to five minutes. The later rows of its subject wait behind it, and nobody else does.
/// </summary>
public sealed class OutboxRelay(
    NpgsqlDataSource database, IBus bus, OutboxSignal signal, DatabaseReady ready, TimeProvider time, ILogger<OutboxRelay> log)
    : BackgroundService
{
    const int BatchSize = 200;

    /// <summary>One relay claims at a time, so that none takes a row whose predecessor another one is about to take.</summary>
    const long ClaimLock = 0x4C47_4F55_5442_4F;

    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>The last row of a claim begins before another relay may take it, with time to be published and finished.</summary>
    static readonly TimeSpan
        ClaimTime = TimeSpan.FromSeconds(30), BeginsWithin = TimeSpan.FromSeconds(20), PublishTimeout = TimeSpan.FromSeconds(5);

    sealed record Row(Guid Id, string Type, string Body, Guid Subject, long Position, DateTime ClaimedUntil);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("outbox", async token =>
        {
            if (await RelayAsync(token) < BatchSize)
                await signal.WaitAsync(PollInterval, token);
        }, log, time, stoppingToken);
    }

    /// <summary>
    /// Publishes one batch and returns its size. Throws when the broker or the database is away. What was not published can be claimed
    /// again.
    /// </summary>
    async Task<int> RelayAsync(CancellationToken token)
    {
        var claimed = time.GetTimestamp();
        var rows = await ClaimAsync(token);
        var (sent, waiting) = (new ConcurrentBag<Guid>(), new ConcurrentDictionary<Guid, Row>());
        foreach (var row in rows)
            waiting[row.Id] = row;
        try
        {
            await Task.WhenAll(rows.GroupBy(row => row.Subject, (_, ofOne) => PublishAsync(ofOne, claimed, sent, waiting, token)));
        }
        finally
        {
            await FinishAsync([.. sent], [.. waiting.Values], CancellationToken.None);
        }
        return rows.Count;
    }

    /// <summary>
    /// The rows of one subject, until the first that cannot be published. The broker may be slow, so no row begins when another relay may
    /// be about to take it: it would be published twice, and out of its order.
    /// </summary>
    /// <param name="waiting">Has what can be claimed again.</param>
    async Task PublishAsync(
        IEnumerable<Row> rows, long claimed, ConcurrentBag<Guid> sent, ConcurrentDictionary<Guid, Row> waiting, CancellationToken token)
    {
        foreach (var row in rows.OrderBy(row => row.Position))
        {
            if (time.GetElapsedTime(claimed) > BeginsWithin)
                return;
            Failpoint.Hit("outbox.claimed");
            var published = await TryPublishAsync(row, token);
            if (published)
                sent.Add(row.Id);
            Failpoint.Hit("outbox.published");
            waiting.TryRemove(row.Id, out _);
            if (!published)
                return;
        }
    }

    /// <summary>False when the row itself cannot be published; throws when the broker is away.</summary>
    async Task<bool> TryPublishAsync(Row row, CancellationToken token)
    {
        try
        {
            var type = typeof(Ids).Assembly.GetType(row.Type)
                ?? throw new InvalidOperationException($"event type {row.Type} is not in Contracts");
            using var limit = token.WithTimeout(PublishTimeout);
            var message = JsonSerializer.Deserialize(row.Body, type, Defaults.Json)!;
            if (!KnownQueues.All.TryGetValue(type, out var queues))
                await bus.Publish(message, type, context => context.MessageId = row.Id, limit.Token);
            else
                foreach (var queue in queues)
                    await SendAsync(row.Id, message, type, queue, limit.Token);
            return true;
        }
        catch (Exception e) when (e is MessageReturnedException || (!IsAway(e, token) && !token.IsCancellationRequested))
        {
            log.LogError(e, "event {Id} of type {Type} cannot be published; it stays in the outbox", row.Id, row.Type);
            return false;
        }
    }

    /// <summary>
    /// To each queue by itself: the broker tells of a message that reached none, and not of one that reached another than it should. One
    /// that comes back is sent to all again, and each consumer knows it by its id.
    /// </summary>
    async Task SendAsync(Guid id, object message, Type type, string queue, CancellationToken token)
    {
        var exchange = await bus.GetSendEndpoint(new Uri($"exchange:{queue}"));
        await exchange.Send(message, type, context =>
        {
            context.MessageId = id;
            if (context.TryGetPayload<RabbitMqSendContext>(out var rabbit))
                rabbit.Mandatory = true;
        }, token);
    }

    /// <summary>
    /// A row without a subject is its own. A relay that stands still with the lock loses it, and one that gets it from nobody says so.
    /// </summary>
    async Task<List<Row>> ClaimAsync(CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync("set local lock_timeout = '1s'; set local idle_in_transaction_session_timeout = '5s'", token);
        await connection.RunAsync("select pg_advisory_xact_lock($1)", token, ClaimLock);
        var rows = new List<Row>();
        await using (var claim = connection.Sql($"""
            update outbox_message set
                attempts = attempts + 1, claimed_until = now() + {Database.Pause("$2", "interval '5 minutes'")}
            where id in (
                select id from outbox_message m where claimed_until < now() and not exists (
                    select from outbox_message earlier
                    where earlier.subject = m.subject and earlier.position < m.position and earlier.claimed_until >= now())
                order by position limit $1 for update)
            returning id, type, body, coalesce(subject, id), position, claimed_until
            """, BatchSize, ClaimTime))
        await using (var reader = await claim.ExecuteReaderAsync(token))
            while (await reader.ReadAsync(token))
                rows.Add(new(
                    reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetGuid(3), reader.GetInt64(4),
                    reader.GetDateTime(5)));
        await transaction.CommitAsync(token);
        return rows;
    }

    /// <summary>What another relay has claimed meanwhile stays its own.</summary>
    async Task FinishAsync(Guid[] sent, Row[] waiting, CancellationToken token)
    {
        if (sent.Length + waiting.Length == 0)
            return;
        await using var finish = database.Sql("""
            with told as (delete from outbox_message where id = any($1))
            update outbox_message m set attempts = attempts - 1, claimed_until = now()
            from unnest($2::uuid[], $3::timestamptz[]) as mine (id, until) where m.id = mine.id and m.claimed_until = mine.until
            """, sent, Array.ConvertAll(waiting, row => row.Id), Array.ConvertAll(waiting, row => row.ClaimedUntil));
        await finish.ExecuteNonQueryAsync(token);
        Failpoint.Hit("outbox.finished");
    }

    static bool IsAway(Exception e, CancellationToken stopping) =>
        Problems.IsOutage(e) || (e is OperationCanceledException && !stopping.IsCancellationRequested);
}
