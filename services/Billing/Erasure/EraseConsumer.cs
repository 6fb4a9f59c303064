using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>A customer was deleted: from now on it is owed that it is forgotten here, and <see cref="Erasures"/> does that.</summary>
public sealed class EraseConsumer(NpgsqlDataSource database, DatabaseReady ready, Erasures erasures) : IConsumer<CustomerDeleted>
{
    public static void Configure(IReceiveEndpointConfigurator queue, IRegistrationContext context)
    {
        queue.PublishFaults = false;
        queue.ConfigureConsumer<EraseConsumer>(context);
    }

    public async Task Consume(ConsumeContext<CustomerDeleted> context)
    {
        var (told, token) = (context.Message, context.CancellationToken);
        await ready.Task.WaitAsync(token);
        await database.ChangeAsync("""
            insert into erasure (customer, wallet) values ($1, $2)
            on conflict (customer) do update set attempts = 0, due_at = now(), done_at = null
            """, token, told.Customer, told.Wallet);
        erasures.Wake();
    }
}
