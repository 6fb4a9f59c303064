using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// Keeps every event that arrives, once, however often it arrives. What the queue repeats, and when an event goes to its error queue, says
/// <see cref="DurableEndpoint"/>.
/// </summary>
public sealed class EventConsumer(NpgsqlDataSource database, DatabaseReady ready) : IConsumer<PublicEvent>
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

    /// <summary>Two events with one number are somebody's mistake, which a repetition does not mend.</summary>
    async Task KeepAsync(PublicEvent told, CancellationToken token)
    {
        await using var insert = database.Sql("""
            insert into event (id, subject, sequence, project, test, type, created, body) values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict (id) do nothing
            """, told.Id, told.Subject, told.Sequence, told.Project, told.Test, told.Type, told.Created, EventBody.Of(told));
        try
        {
            await insert.ExecuteNonQueryAsync(token);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            throw new InvalidDataException($"{told.Subject:N} has another event with the number {told.Sequence}", e);
        }
    }
}
