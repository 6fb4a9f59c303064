using System.Text.Json;
using System.Threading.Channels;
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
/// An event that was decided in the same transaction as its cause. The relay publishes it afterwards, at least once, and deletes the row after
/// the broker's confirm, so that the table holds only what is still to be told. The message id is the row's id.
/// </summary>
public sealed class OutboxMessage
{
    public required Guid Id { get; init; }
    /// <summary>Full name of the event's CLR type in Contracts.</summary>
    public required string Type { get; init; }
    public required string Body { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>A relay works on the row until then; afterwards another may take it.</summary>
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
        message.HasIndex(m => m.ClaimedUntil);
    });
}

/// <summary>Wakes the relay right after a commit; polling is the guarantee, this is only the speed.</summary>
public sealed class OutboxSignal
{
    readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Raise() => _wakes.Writer.TryWrite(true);

    internal async Task WaitAsync(TimeSpan atMost, CancellationToken token)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(atMost);
        try
        {
            await _wakes.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            // Nobody called: time to look anyway.
        }
    }
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
/// Claims rows, commits the claim (no lock is held while publishing), publishes with confirms, deletes. A row that fails waits twice as long
/// each time, up to five minutes, and never stops the others.
/// </summary>
public sealed class OutboxRelay(NpgsqlDataSource database, IBus bus, OutboxSignal signal, DatabaseReady ready, ILogger<OutboxRelay> log) : BackgroundService
{
    const int BatchSize = 200;
    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250), ClaimTime = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            var relayed = 0;
            try
            {
                relayed = await RelayAsync(stoppingToken);
            }
            catch (Exception e) when (Problems.IsOutage(e))
            {
                log.LogWarning("the outbox waits: {Message}", e.Message);
            }
            if (relayed < BatchSize)
                await signal.WaitAsync(PollInterval, stoppingToken);
        }
    }

    async Task<int> RelayAsync(CancellationToken token)
    {
        var rows = await ClaimAsync(token);
        var sent = new List<Guid>(rows.Count);
        foreach (var (id, type, body) in rows)
        {
            try
            {
                var clrType = typeof(Ids).Assembly.GetType(type) ?? throw new InvalidOperationException($"event type {type} is not in Contracts");
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
                limit.CancelAfter(ClaimTime / 2);
                await bus.Publish(JsonSerializer.Deserialize(body, clrType, Defaults.Json)!, clrType, context => context.MessageId = id, limit.Token);
                sent.Add(id);
            }
            catch (Exception e) when (!token.IsCancellationRequested)
            {
                log.LogWarning(e, "event {Id} of type {Type} could not be published; it stays in the outbox", id, type);
            }
        }
        if (sent.Count > 0)
        {
            await using var delete = database.Sql("delete from outbox_message where id = any($1)", sent.ToArray());
            await delete.ExecuteNonQueryAsync(token);
        }
        return sent.Count;
    }

    async Task<List<(Guid Id, string Type, string Body)>> ClaimAsync(CancellationToken token)
    {
        await using var claim = database.Sql("""
            update outbox_message set attempts = attempts + 1, claimed_until = now() + least(interval '5 minutes', $2 * power(2, least(attempts, 10)))
            where id in (select id from outbox_message where claimed_until < now() order by id limit $1 for update skip locked)
            returning id, type, body
            """, BatchSize, ClaimTime);
        var rows = new List<(Guid, string, string)>();
        await using var reader = await claim.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            rows.Add((reader.GetGuid(0), reader.GetString(1), reader.GetString(2)));
        return rows;
    }
}
