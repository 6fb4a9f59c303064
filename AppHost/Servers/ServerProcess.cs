using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmGateway.AppHost;

/// <summary>A server as a process of this machine: on loopback alone, with connection string and health check like a container.</summary>
abstract class ServerProcess(string name, string program) : ExecutableResource(name, program, "/"), IResourceWithConnectionString
{
    public abstract ReferenceExpression ConnectionStringExpression { get; }
}

static class ServerProcesses
{
    static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(5);

    /// <param name="serves">Throws while the server does not serve.</param>
    public static IResourceBuilder<T> AddServer<T>(
        this Stack stack, T server, string[] arguments, int port, Func<CancellationToken, Task> serves) where T : ServerProcess
    {
        var check = $"{server.Name}_serves";
        stack.Builder.Services.AddHealthChecks().AddAsyncCheck(check, async token =>
        {
            try
            {
                await serves(token);
                return HealthCheckResult.Healthy();
            }
            catch (Exception e) when (!token.IsCancellationRequested)
            {
                return HealthCheckResult.Unhealthy(e.Message);
            }
        }, timeout: CheckLimit);
        return stack.Builder.AddResource(server)
            .WithArgs([.. arguments])
            .WithEndpoint(port: port, scheme: "tcp", name: "tcp", isProxied: false)
            .WithEndpoint("tcp", endpoint => endpoint.TargetHost = "127.0.0.1")
            .WithHealthCheck(check);
    }
}
