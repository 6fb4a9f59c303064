using LlmGateway.Contracts;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Events over RabbitMQ: quorum queues, persistent messages, publisher confirms. A publish that returns has been confirmed.
/// </summary>
public static class Messaging
{
    /// <param name="consumers">Registers the consumers of <paramref name="queues"/>.</param>
    public static void AddMessaging(
        this WebApplicationBuilder builder, Action<IBusRegistrationConfigurator>? consumers = null, params DurableEndpoint[] queues)
    {
        var address = builder.Connection("rabbitmq");
        builder.Services.AddMassTransit(bus =>
        {
            bus.SetKebabCaseEndpointNameFormatter();
            // A self-hosted gateway sends no usage statistics.
            bus.DisableUsageTelemetry();
            // Without the broker requests are still served and settlements wait on disk, so the service stays healthy.
            bus.ConfigureHealthCheckOptions(options => options.MinimalFailureStatus = HealthStatus.Degraded);
            consumers?.Invoke(bus);
            bus.UsingRabbitMq((context, rabbit) =>
            {
                rabbit.Host(new Uri(address), host => host.PublisherConfirmation = true);
                // These are the library's own options: its envelopes have members that our strict options refuse.
                rabbit.ConfigureJsonSerializerOptions(options =>
                {
                    options.Converters.Add(Defaults.EnumsByName);
                    return options;
                });
                foreach (var (message, known) in KnownQueues.All)
                    rabbit.Publish(message, published =>
                    {
                        foreach (var name in known)
                            DurableEndpoint.DeclareFor(published, name);
                    });
                rabbit.DeployPublishTopology = true;
                foreach (var queue in queues)
                    queue.Declare(rabbit, context);
            });
        });
        // The bus connects and reconnects by itself. A service must start and serve what it can while the broker is away.
        builder.Services.Configure<MassTransitHostOptions>(options => options.WaitUntilStarted = false);
        if (queues.Length == 0)
            return;
        builder.Services.AddSingleton(new BrokerAddress(address));
        foreach (var queue in queues)
            builder.Services.AddSingleton(queue);
        builder.Services.AddHostedSingleton<UnhandledMessages>();
    }
}
