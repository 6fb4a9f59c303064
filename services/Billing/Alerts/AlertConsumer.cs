using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Writes the mail for an event that a project wants to be told of. The events are those of webhooks, in a queue of this service's own, so
/// whoever decides one tells both. What the queue repeats, and when an event goes to its error queue, says <see cref="DurableEndpoint"/>.
/// </summary>
public sealed class AlertConsumer(NpgsqlDataSource database, DatabaseReady ready, MailSettings settings, MailWorker worker)
    : IConsumer<PublicEvent>
{
    public static void Configure(IReceiveEndpointConfigurator queue, IRegistrationContext context)
    {
        // An event that cannot be mailed is in the error queue; nobody listens to faults.
        queue.PublishFaults = false;
        queue.ConfigureConsumer<AlertConsumer>(context);
    }

    public async Task Consume(ConsumeContext<PublicEvent> context)
    {
        var (told, token) = (context.Message, context.CancellationToken);
        if (settings.Server is null || !AlertText.Titles.ContainsKey(told.Type))
            return;
        await ready.Task.WaitAsync(token);
        if (await RecipientAsync(told, token) is not { } to)
            return;
        await using (var connection = await database.OpenConnectionAsync(token))
        await using (var transaction = await connection.BeginTransactionAsync(token))
        {
            await connection.RunAsync(Database.FreeWhenIdle, token);
            await connection.AddMailAsync(AlertText.Of(told, to), told.Project, told.Test, token);
            await transaction.CommitAsync(token);
        }
        Failpoint.Hit("billing.alert.written");
        worker.Wake();
    }

    async Task<string?> RecipientAsync(PublicEvent told, CancellationToken token)
    {
        await using var query = database.Sql(
            "select email from alert where project = $1 and test = $2 and $3 = any(events)", told.Project, told.Test, told.Type);
        return (string?)await query.ExecuteScalarAsync(token);
    }
}
