using System.Text;
using RabbitMQ.Client;

namespace LlmGateway.AppHost;

/// <summary>A private RabbitMQ node and its name server (epmd), both on loopback, apart from any node of the machine's own.</summary>
static class LocalRabbitMq
{
    const string User = "llmgateway";

    /// <summary>Always the same, because the broker's data belong to the name. Stacks do not meet: each has its own name server.</summary>
    const string Node = "llmgateway@localhost";

    public static IResourceBuilder<LocalServer> Add(Stack stack, string name)
    {
        var port = stack.Port(name, Ports.RabbitMq);
        var password = stack.AddSecret($"{name}-password");
        var folder = Path.Combine(stack.Folder.Path, name);
        stack.Prepare(() =>
        {
            var login = $"default_user = {User}\ndefault_pass = {stack.Secrets.Get($"{name}-password")}\n";
            Secrets.WritePrivate(Path.Combine(folder, "rabbitmq.conf"), Encoding.UTF8.GetBytes(login));
            File.WriteAllText(Path.Combine(folder, "enabled_plugins"), "[].\n");
        });
        // Debian's wrapper in the search path insists on the system's user and folders. This is the script below it.
        string[] command = [Machine.Find(stack, "rabbitmq-server", "rabbitmq-server", "/usr/lib/rabbitmq/bin")];
        var server = ReferenceExpression.Create($"amqp://{User}:{password}@127.0.0.1:{$"{port}"}");
        var names = AddNameServer(stack, stack.Port("epmd", Ports.Epmd));
        var broker = LocalServer.Add(stack, name, port, server, command, async (url, token) =>
            await (await new ConnectionFactory { Uri = new(url) }.CreateConnectionAsync(token)).DisposeAsync()).WaitForStart(names);
        names.WithParentRelationship(broker);
        foreach (var (variable, value) in Environment(stack, folder, port))
            broker.WithEnvironment(variable, value);
        return broker;
    }

    /// <summary>The node would start a name server that survives it, so ours is started first.</summary>
    static IResourceBuilder<ExecutableResource> AddNameServer(Stack stack, int port) => stack.Builder
        .AddExecutable("epmd", Machine.Find(stack, "epmd", "rabbitmq-server"), "/", "-port", $"{port}", "-address", "127.0.0.1")
        .WithInitialState(new() { ResourceType = "Executable", Properties = [], IsHidden = true });

    static Dictionary<string, string> Environment(Stack stack, string folder, int port) => new()
    {
        ["HOME"] = folder,
        ["LANG"] = "C.UTF-8",
        ["RABBITMQ_NODENAME"] = Node,
        ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
        ["RABBITMQ_NODE_PORT"] = $"{port}",
        ["RABBITMQ_DIST_PORT"] = $"{stack.Port("rabbitmq, distribution", Ports.ErlangDistribution)}",
        ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
        ["ERL_EPMD_PORT"] = $"{stack.Base + Ports.Epmd}",
        ["RABBITMQ_MNESIA_BASE"] = Path.Combine(folder, "data"),
        ["RABBITMQ_LOG_BASE"] = Path.Combine(folder, "log"),
        ["RABBITMQ_LOGS"] = "-",
        ["RABBITMQ_CONFIG_FILE"] = Path.Combine(folder, "rabbitmq.conf"),
        ["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(folder, "enabled_plugins"),
        ["RABBITMQ_CONF_ENV_FILE"] = "/dev/null",
        // The script becomes the node instead of waiting for it, so that the process that we know is the node itself.
        ["RUNNING_UNDER_SYSTEMD"] = "true",
        // No second name server, no cluster port on other interfaces, and no busy waiting: an idle broker should cost nothing.
        ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] =
            "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
    };
}
