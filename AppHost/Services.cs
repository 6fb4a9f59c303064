using System.Text.RegularExpressions;

namespace LlmGateway.AppHost;

/// <summary>How a service of ours becomes a resource.</summary>
static partial class Services
{
    /// <summary>On its own port, without the orchestrator's forwarder before it, and only for this machine.</summary>
    public static IResourceBuilder<ProjectResource> AddService<TProject>(this Stack stack, string name, int port)
        where TProject : IProjectMetadata, new() =>
        stack.Builder.AddProject<TProject>(name, options => options.ExcludeLaunchProfile = true)
            .WithHttpEndpoint(port: stack.Runs ? stack.Port(name, port) : null, isProxied: !stack.Runs)
            .WithEndpoint("http", endpoint => endpoint.TargetHost = "127.0.0.1")
            .WithHttpHealthCheck("/health")
            .WithoutExportToNobody(stack);

    public static IResourceBuilder<ProjectResource> WithDatabase(
        this IResourceBuilder<ProjectResource> service, IResourceBuilder<IResourceWithConnectionString> database, string connectionName) =>
        service.WithReference(database, connectionName).WaitFor(database);

    public static IResourceBuilder<ProjectResource> WithServer(
        this IResourceBuilder<ProjectResource> service, IResourceBuilder<IResourceWithConnectionString> server) =>
        service.WithReference(server).WaitFor(server);

    /// <summary>Seed files, the sandbox that they may name, and what else of the environment they mention as <c>${NAME}</c>.</summary>
    public static IResourceBuilder<ProjectResource> WithSeeds(
        this IResourceBuilder<ProjectResource> sessions, Stack stack, IResourceBuilder<ProjectResource> sandbox)
    {
        if (!stack.Runs)
            return sessions;
        foreach (var seed in stack.Seeds.Where(seed => !File.Exists(seed)))
            stack.Refuse($"there is no seed file {seed}");
        var mentions = stack.Seeds.Where(File.Exists).SelectMany(seed => Mention().Matches(File.ReadAllText(seed)));
        foreach (var name in mentions.Select(match => match.Groups[1].Value))
            if (stack.Text(name) is { } value)
                sessions.WithEnvironment(name, value);
        return sessions.WithEnvironment("SANDBOX_URL", sandbox.GetEndpoint("http"))
            .WithEnvironment("LLMGATEWAY_SEED", string.Join(':', stack.Seeds));
    }

    /// <summary>A folder that outlives the process, one for each proxy.</summary>
    public static IResourceBuilder<ProjectResource> WithSpool(this IResourceBuilder<ProjectResource> proxy, Stack stack) =>
        proxy.WithEnvironment("Proxy__Spool", stack.Runs ? stack.Folder("spool", proxy.Resource.Name) : "/var/lib/llmgateway/spool");

    /// <summary>Private addresses that tenants' providers may have, where the operator allows some.</summary>
    public static IResourceBuilder<ProjectResource> WithPrivateHosts(this IResourceBuilder<ProjectResource> proxy, Stack stack) =>
        stack.Text("Gateway:PrivateHosts") is { } hosts ? proxy.WithEnvironment("Gateway__PrivateHosts", hosts) : proxy;

    /// <summary>Whether prompts and answers are recorded, told in every case: what Aspire says of it for frameworks is not asked.</summary>
    public static IResourceBuilder<ProjectResource> WithCaptureContent(this IResourceBuilder<ProjectResource> proxy, Stack stack) =>
        stack.Runs ? proxy.WithEnvironment("Telemetry__CaptureContent", stack.Text("Telemetry:CaptureContent") ?? "false") : proxy;

    /// <summary>Without a dashboard nobody listens for telemetry, and a service must not keep trying.</summary>
    static IResourceBuilder<ProjectResource> WithoutExportToNobody(this IResourceBuilder<ProjectResource> service, Stack stack) =>
        !stack.Runs || stack.HasDashboard ? service
            : service.WithEnvironment(context => context.EnvironmentVariables.Remove("OTEL_EXPORTER_OTLP_ENDPOINT"));

    [GeneratedRegex(@"\$\{(\w+)\}")]
    private static partial Regex Mention();
}
