using System.Text;

namespace LlmGateway.AppHost.Native;

/// <summary>A private RabbitMQ node and its name server (epmd), both on loopback, apart from any node of the machine's own.</summary>
static class RabbitMq
{
    /// <summary>Debian's wrapper in the search path insists on the system's user and folders; this is the script below it.</summary>
    public const string Program = "/usr/lib/rabbitmq/bin/rabbitmq-server", NameServer = "epmd";

    const string User = "llmgateway";

    /// <summary>Always the same, because the broker's data belong to the name. Stacks do not meet: each has its own name server.</summary>
    const string Node = "llmgateway@localhost";

    public static string Connection(PortBlock ports, Secrets secrets) => $"amqp://{User}:{secrets.RabbitMqPassword}@127.0.0.1:{ports[Topology.Ports.RabbitMq]}";

    /// <summary>The node would start a name server that survives us; so ours is started first and supervised like the rest.</summary>
    public static ProcessPlan PrepareNameServer(PortBlock ports) => new(NameServer, ProcessKind.Server, ports[Topology.Ports.Epmd])
    {
        File = NameServer,
        Arguments = ["-port", $"{ports[Topology.Ports.Epmd]}", "-address", "127.0.0.1"],
        StopWave = Stack.ServerWave + 1,
        Probe = Probes.Port(ports[Topology.Ports.Epmd]),
    };

    public static ProcessPlan Prepare(Folders folders, PortBlock ports, Secrets secrets)
    {
        var port = ports[Topology.Ports.RabbitMq];
        var folder = folders.Of(Topology.RabbitMq);
        var configuration = Path.Combine(folder, "rabbitmq.conf");
        Secrets.WritePrivate(configuration, Encoding.UTF8.GetBytes($"default_user = {User}\ndefault_pass = {secrets.RabbitMqPassword}\n"));
        var plugins = Path.Combine(folder, "enabled_plugins");
        File.WriteAllText(plugins, "[].\n");
        return new(Topology.RabbitMq, ProcessKind.Server, port)
        {
            File = Program,
            OtherPorts = [ports[Topology.Ports.ErlangDistribution]],
            StopWave = Stack.ServerWave,
            Probe = Probes.Amqp(port),
            Environment = new()
            {
                ["HOME"] = folder,
                ["LANG"] = "C.UTF-8",
                ["RABBITMQ_NODENAME"] = Node,
                ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
                ["RABBITMQ_NODE_PORT"] = $"{port}",
                ["RABBITMQ_DIST_PORT"] = $"{ports[Topology.Ports.ErlangDistribution]}",
                ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
                ["ERL_EPMD_PORT"] = $"{ports[Topology.Ports.Epmd]}",
                ["RABBITMQ_MNESIA_BASE"] = Path.Combine(folder, "data"),
                ["RABBITMQ_LOG_BASE"] = Path.Combine(folder, "log"),
                ["RABBITMQ_LOGS"] = "-",
                ["RABBITMQ_CONFIG_FILE"] = configuration,
                ["RABBITMQ_ENABLED_PLUGINS_FILE"] = plugins,
                ["RABBITMQ_CONF_ENV_FILE"] = "/dev/null",
                // Makes the script become the node instead of waiting for it, so that the process we know is the node itself.
                ["RUNNING_UNDER_SYSTEMD"] = "true",
                // No second name server, no cluster port on other interfaces, and no busy waiting: an idle broker should cost nothing.
                ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] =
                    "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
            },
        };
    }
}
