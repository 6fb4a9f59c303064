using System.Net.Sockets;
using System.Text;

namespace LlmGateway.AppHost;

/// <summary>A private Redis that saves nothing: it never holds the only copy of anything, and tests that kill it rely on that.</summary>
sealed class RedisProcess(string name, string program, ReferenceExpression server) : ServerProcess(name, program)
{
    public override ReferenceExpression ConnectionStringExpression => server;

    public static IResourceBuilder<RedisProcess> Add(Stack stack, string name)
    {
        var port = stack.Port(name, Ports.Redis);
        var password = stack.AddSecret($"{name}-password");
        var server = ReferenceExpression.Create($"127.0.0.1:{$"{port}"},password={password}");
        var folder = Path.Combine(stack.Data, name);
        var configuration = Path.Combine(folder, "redis.conf");
        stack.Preparations.Add(_ =>
        {
            // In a file of its own, because arguments are visible to every user of the machine.
            Secrets.WritePrivate(configuration, Encoding.UTF8.GetBytes($"""
                bind 127.0.0.1
                port {port}
                protected-mode yes
                requirepass {stack.Secrets.Get($"{name}-password")}
                appendonly no
                save ""
                dir {folder}

                """));
            return Task.CompletedTask;
        });
        var redis = new RedisProcess(name, Machine.Find(stack, "redis-server", "redis-server"), server);
        return stack.AddServer(redis, [configuration], port, async token =>
            await Greeting.RequireAsync(port, $"AUTH {stack.Secrets.Get($"{name}-password")}\r\n", "+OK", token));
    }
}

/// <summary>Whether a server answers what its protocol begins with.</summary>
static class Greeting
{
    public static async Task RequireAsync(int port, string said, string expected, CancellationToken token)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, token);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(said), token);
        var answer = new byte[expected.Length];
        await stream.ReadExactlyAsync(answer, token);
        if (Encoding.Latin1.GetString(answer) != expected)
            throw new InvalidOperationException($"port {port} answers '{Encoding.Latin1.GetString(answer)}'");
    }
}
