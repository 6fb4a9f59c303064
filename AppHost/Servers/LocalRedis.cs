using System.Text;
using StackExchange.Redis;

namespace LlmGateway.AppHost;

/// <summary>A private Redis that saves nothing: it never holds the only copy of anything, and tests that kill it rely on that.</summary>
static class LocalRedis
{
    public static IResourceBuilder<LocalServer> Add(Stack stack, string name)
    {
        var port = stack.Port(name, Ports.Redis);
        var password = stack.AddSecret($"{name}-password");
        var configuration = Path.Combine(stack.Folder.Path, name, "redis.conf");
        // A file of its owner's: arguments are visible to every user of the machine.
        stack.Prepare(() => Secrets.WritePrivate(configuration, Encoding.UTF8.GetBytes($"""
            bind 127.0.0.1
            port {port}
            protected-mode yes
            requirepass {stack.Secrets.Get($"{name}-password")}
            appendonly no
            save ""

            """)));
        string[] command = [Machine.Find(stack, "redis-server", "redis-server"), configuration];
        return LocalServer.Add(stack, name, port, ReferenceExpression.Create($"127.0.0.1:{$"{port}"},password={password}"), command,
            async (server, _) => await (await ConnectionMultiplexer.ConnectAsync(server)).DisposeAsync());
    }
}
