namespace LlmGateway.AppHost;

/// <summary>A server as a process of this machine: on loopback alone, with connection string and health check like a container.</summary>
sealed class LocalServer(string name, string program, ReferenceExpression server)
    : ExecutableResource(name, program, "/"), IResourceWithConnectionString
{
    public ReferenceExpression ConnectionStringExpression => server;

    /// <param name="command">The program's path and its arguments.</param>
    /// <param name="serves">Throws while the server does not serve a client with this connection string.</param>
    public static IResourceBuilder<LocalServer> Add(
        Stack stack, string name, int port, ReferenceExpression server, string[] command, Func<string, CancellationToken, Task> serves) =>
        stack.Builder.AddResource(new LocalServer(name, command[0], server))
            .WithArgs(command[1..])
            .WithEndpoint(port: port, scheme: "tcp", name: "tcp", isProxied: false)
            .WithEndpoint("tcp", endpoint => endpoint.TargetHost = "127.0.0.1")
            .WithCheck(async token => await serves((await server.GetValueAsync(token))!, token));
}
