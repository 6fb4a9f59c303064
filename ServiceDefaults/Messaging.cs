using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmGateway.ServiceDefaults;

/// <summary>Events over RabbitMQ: quorum queues, persistent messages, publisher confirms. A publish that returns has been confirmed.</summary>
public static class Messaging
{
    /// <summary>Messages that one consumer holds unacknowledged.</summary>
    public const int Prefetch = 16;

    public static void AddMessaging(this WebApplicationBuilder builder, Action<IBusRegistrationConfigurator>? consumers = null, Action<IRabbitMqBusFactoryConfigurator, IBusRegistrationContext>? endpoints = null)
    {
        var address = builder.Connection("rabbitmq");
        builder.Services.AddMassTransit(bus =>
        {
            bus.SetKebabCaseEndpointNameFormatter();
            // A self-hosted gateway reports to nobody.
            bus.DisableUsageTelemetry();
            // With the broker away requests are still served, and settlements wait on disk: no reason to be taken out of service.
            bus.ConfigureHealthCheckOptions(options => options.MinimalFailureStatus = HealthStatus.Degraded);
            consumers?.Invoke(bus);
            bus.UsingRabbitMq((context, rabbit) =>
            {
                rabbit.Host(new Uri(address), host => host.PublisherConfirmation = true);
                // The library's own options, because its envelopes have members that our strict ones refuse.
                rabbit.ConfigureJsonSerializerOptions(options =>
                {
                    options.Converters.Add(Defaults.EnumsByName);
                    return options;
                });
                endpoints?.Invoke(rabbit, context);
            });
        });
        // The bus connects and reconnects by itself; a service must start and serve what it can while the broker is away.
        builder.Services.Configure<MassTransitHostOptions>(options => options.WaitUntilStarted = false);
    }

    /// <summary>A durable, replicated queue whose messages go back when the consumer fails, with a pause that grows.</summary>
    public static void DurableQueue(this IRabbitMqBusFactoryConfigurator rabbit, string name, Action<IRabbitMqReceiveEndpointConfigurator> configure) =>
        rabbit.ReceiveEndpoint(name, endpoint =>
        {
            endpoint.SetQuorumQueue();
            endpoint.PrefetchCount = Prefetch;
            configure(endpoint);
        });
}
