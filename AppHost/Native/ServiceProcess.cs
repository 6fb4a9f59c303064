using System.Text.RegularExpressions;

namespace LlmGateway.AppHost.Native;

/// <summary>A service of the topology as a process, with the environment that Aspire would give it.</summary>
static partial class ServiceProcess
{
    public static ProcessPlan Prepare(Service service, Folders folders, PortBlock ports, Secrets secrets, string[] seeds, bool dashboard)
    {
        var url = ports.Url(service.Port);
        var assembly = Folders.Assembly(service.Project);
        var environment = new Dictionary<string, string>
        {
            ["ASPNETCORE_URLS"] = url,
            // As deployed: what is tested here is what users run.
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["OTEL_SERVICE_NAME"] = service.Name,
        };
        if (dashboard)
        {
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = ports.Url(Topology.Ports.OtlpGrpc);
            environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
            // As Aspire does on a developer's machine: whoever looks wants to see what they have just done.
            environment["OTEL_BSP_SCHEDULE_DELAY"] = environment["OTEL_BLRP_SCHEDULE_DELAY"] = environment["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
        }
        var connections = Connections(ports, secrets);
        foreach (var name in service.Connections)
            environment[$"ConnectionStrings__{name}"] = connections[name];
        foreach (var name in service.References)
            environment[$"services__{name}__http__0"] = ports.Url(Topology.Services.Single(other => other.Name == name).Port);
        foreach (var key in service.Settings.Concat(service.OptionalSettings))
            foreach (var (name, value) in Setting(key, service, folders, ports, secrets, seeds))
                environment[name.Replace(":", "__", StringComparison.Ordinal)] = value;

        return new(service.Name, ProcessKind.Service, ports[service.Port])
        {
            Url = url,
            // The program that runs this tool: dotnet.
            File = Environment.ProcessPath!,
            Arguments = [assembly],
            WorkingDirectory = Path.GetDirectoryName(assembly)!,
            Environment = environment,
            StopWave = Topology.Services.Max(Topology.Depth) - Topology.Depth(service),
            Probe = Probes.Http($"{url}/health"),
        };
    }

    public static Dictionary<string, string> Connections(PortBlock ports, Secrets secrets) =>
        new(Topology.Databases.Select(name => KeyValuePair.Create(name, Postgres.Connection(ports, secrets, name))))
        {
            [Topology.Redis] = Redis.Connection(ports, secrets),
            [Topology.RabbitMq] = RabbitMq.Connection(ports, secrets),
        };

    static IEnumerable<(string Name, string Value)> Setting(string key, Service service, Folders folders, PortBlock ports, Secrets secrets, string[] seeds) => key switch
    {
        Topology.InternalKey => [(key, secrets.InternalKey)],
        Topology.MasterKey => [(key, secrets.MasterKey)],
        Topology.Pepper => [(key, secrets.Pepper)],
        Topology.Spool => [(key, folders.Of(Path.Combine("spool", service.Name)))],
        Topology.SandboxUrl => [(key, ports.Url(Topology.Services.Single(other => other.Name == "sandbox").Port))],
        Topology.Seed => [(key, string.Join(':', seeds)), .. MentionedVariables(seeds)],
        Topology.PrivateHosts or Topology.CaptureContent =>
            Environment.GetEnvironmentVariable(key.Replace(":", "__", StringComparison.Ordinal)) is { Length: > 0 } given ? [(key, given)] : [],
        _ => throw new InvalidOperationException($"the topology names a setting that has no value here: {key}"),
    };

    /// <summary>A seed file may take secrets from the caller's environment; only what it mentions is passed on.</summary>
    static IEnumerable<(string Name, string Value)> MentionedVariables(string[] seeds) =>
        from seed in seeds
        from Match mention in Mention().Matches(File.ReadAllText(seed))
        let name = mention.Groups[1].Value
        let value = Environment.GetEnvironmentVariable(name)
        where name != Topology.SandboxUrl && !string.IsNullOrEmpty(value)
        select (name, value);

    [GeneratedRegex(@"\$\{(\w+)\}")]
    private static partial Regex Mention();
}
