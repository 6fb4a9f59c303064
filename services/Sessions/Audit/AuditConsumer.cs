using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>
/// Keeps what was changed in other services, each change once, however often it arrives. What the queue repeats, and when a change goes to
/// its error queue, says <see cref="DurableEndpoint"/>.
/// </summary>
public sealed class AuditConsumer(NpgsqlDataSource database, DatabaseReady ready) : IConsumer<Changed>
{
    public static void Configure(IReceiveEndpointConfigurator queue, IRegistrationContext context)
    {
        // A change that cannot be kept is in the error queue; nobody listens to faults.
        queue.PublishFaults = false;
        queue.ConfigureConsumer<AuditConsumer>(context);
    }

    /// <summary>
    /// Who deletes the customer holds its row and then erases what is kept. So whatever comes before that is erased, and what comes later
    /// is kept without what it says.
    /// </summary>
    public async Task Consume(ConsumeContext<Changed> context)
    {
        var (told, token) = (context.Message, context.CancellationToken);
        await ready.Task.WaitAsync(token);
        await using var keep = database.Sql("""
            with owner as materialized (select status from customer where id = $4::uuid for share)
            insert into audit_entry (id, project_id, test, customer_id, at, actor, action, subject, before, after, request_id)
            select $1, $2, $3, $4::uuid, $5, $6, $7, $8, case when says then $9::jsonb end, case when says then $10::jsonb end, $11::text
            from (select not exists (select from owner where status = 'Deleted') as says) as entry
            on conflict (id) do nothing
            """,
            told.Id, told.Project, told.Test, told.Customer, told.At.ToUniversalTime(), told.Actor, told.Action, told.Subject, told.Before,
            told.After, told.RequestId);
        await keep.ExecuteNonQueryAsync(token);
    }
}
