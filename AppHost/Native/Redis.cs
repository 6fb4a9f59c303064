using System.Text;

namespace LlmGateway.AppHost.Native;

/// <summary>A private Redis that writes nothing to disk: it never holds the only copy of anything, and a test can rely on that by killing it.</summary>
static class Redis
{
    public const string Program = "redis-server";

    public static string Connection(PortBlock ports, Secrets secrets) => $"127.0.0.1:{ports[Topology.Ports.Redis]},password={secrets.RedisPassword}";

    public static ProcessPlan Prepare(Folders folders, PortBlock ports, Secrets secrets)
    {
        var port = ports[Topology.Ports.Redis];
        var folder = folders.Of(Topology.Redis);
        var configuration = Path.Combine(folder, "redis.conf");
        // In a file of our own, because arguments are visible to every user of the machine.
        Secrets.WritePrivate(configuration, Encoding.UTF8.GetBytes($"""
            bind 127.0.0.1
            port {port}
            protected-mode yes
            requirepass {secrets.RedisPassword}
            appendonly no
            save ""
            dir {folder}

            """));
        return new(Topology.Redis, ProcessKind.Server, port)
        {
            File = Program,
            Arguments = [configuration],
            StopWave = Stack.ServerWave,
            Probe = Probes.Redis(port, secrets.RedisPassword),
        };
    }
}
