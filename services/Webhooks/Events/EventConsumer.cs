using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// Keeps every event that arrives, once, however often it arrives, and with it a delivery to each endpoint that asks for it. What the queue
/// repeats, and when an event goes to its error queue, says <see cref="DurableEndpoint"/>.
/// </summary>
public sealed class EventConsumer(NpgsqlDataSource database, DatabaseReady ready, WakeSignal due) : IConsumer<PublicEvent>
{
    public static void Configure(IReceiveEndpointConfigurator queue, IRegistrationContext context)
    {
        // An event that cannot be kept is in the error queue; nobody listens to faults.
        queue.PublishFaults = false;
        queue.ConfigureConsumer<EventConsumer>(context);
    }

    public async Task Consume(ConsumeContext<PublicEvent> context)
    {
        var token = context.CancellationToken;
        await ready.Task.WaitAsync(token);
        Failpoint.Hit("webhooks.event.received");
        await KeepAsync(context.Message, token);
        Failpoint.Hit("webhooks.event.kept");
    }

    /// <summary>
    /// Two events with one number are somebody's mistake, which a repetition does not mend. A delivery is due when its event happened, so
    /// that those of one customer are due in their order, in whichever they arrive. An endpoint that is disabled has its deliveries wait.
    /// </summary>
    public async Task KeepAsync(PublicEvent told, CancellationToken token)
    {
        await using var insert = database.Sql("""
            with kept as (
                insert into event (id, subject, sequence, project, test, type, created, body) values ($1, $2, $3, $4, $5, $6, $7, $8)
                on conflict (id) do nothing returning *)
            insert into delivery (event, endpoint, subject, sequence, next_at)
            select kept.id, e.id, subject, sequence, least(kept.created, now()) from kept join endpoint e using (project, test)
            where e.status <> 2 and (enabled_events is null or type = any(enabled_events)) and e.id is distinct from $9::uuid
            """,
            told.Id, told.Subject, told.Sequence, told.Project, told.Test, told.Type, told.Created, EventBody.Of(told), Disabled(told));
        try
        {
            await insert.ExecuteNonQueryAsync(token);
        }
        catch (PostgresException e) when (e is
            { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "every_number_is_of_one_event" })
        {
            throw new InvalidDataException($"{told.Subject:N} has another event with the number {told.Sequence}", e);
        }
        due.Raise();
    }

    /// <summary>The endpoint that an event says was disabled: it is told nothing of itself.</summary>
    static Guid? Disabled(PublicEvent told)
    {
        if (told.Type != EventTypes.WebhookEndpointDisabled)
            return null;
        using var data = JsonDocument.Parse(told.Data);
        return EndpointView.Parse(data.RootElement.GetProperty("endpointId").GetString()!);
    }
}
