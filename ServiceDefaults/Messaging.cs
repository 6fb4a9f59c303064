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
    /// <summary>Messages that one consumer holds unacknowledged.</summary>
    public const int Prefetch = 16;

    public static void AddMessaging(
        this WebApplicationBuilder builder,
        Action<IBusRegistrationConfigurator>? consumers = null,
        Action<IRabbitMqBusFactoryConfigurator, IBusRegistrationContext>? endpoints = null)
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
                endpoints?.Invoke(rabbit, context);
            });
        });
        // The bus connects and reconnects by itself. A service must start and serve what it can while the broker is away.
        builder.Services.Configure<MassTransitHostOptions>(options => options.WaitUntilStarted = false);
    }

    /// <summary>
    /// A durable, replicated queue. A message whose consumer throws goes to the error queue at once: nothing is repeated here, so a
    /// consumer must itself repeat what may pass.
    /// </summary>
    public static void DurableQueue(
        this IRabbitMqBusFactoryConfigurator rabbit, string name, Action<IRabbitMqReceiveEndpointConfigurator> configure) =>
        rabbit.ReceiveEndpoint(name, endpoint =>
        {
            endpoint.SetQuorumQueue();
            endpoint.PrefetchCount = Prefetch;
            configure(endpoint);
        });
}
