using LlmGateway.AppHost;
using Microsoft.Extensions.Configuration;

// The same topology through Aspire: `dotnet run --project AppHost -p:Aspire=true`, or `aspire publish` for Docker Compose.
// Needs the Aspire CLI (dashboard, orchestrator) and a container engine for the servers that are not given as connection strings.
// The keys are parameters (Parameters__gateway-internalkey=… and so on): 32 random bytes in base64, the same for all services.

var builder = DistributedApplication.CreateBuilder(args);
builder.AddDockerComposeEnvironment("compose");

var connections = new Dictionary<string, IResourceBuilder<IResourceWithConnectionString>>
{
    [Topology.Redis] = Given(Topology.Redis) ?? builder.AddRedis(Topology.Redis).WithoutHttpsCertificate(),
    [Topology.RabbitMq] = Given(Topology.RabbitMq) ?? builder.AddRabbitMQ(Topology.RabbitMq),
};
var postgres = Topology.Databases.All(IsGiven) ? null : builder.AddPostgres("postgres");
foreach (var name in Topology.Databases)
    connections[name] = Given(name) ?? postgres!.AddDatabase(name);

var secrets = Topology.Services.SelectMany(service => service.Settings).Where(key => key != Topology.Spool).Distinct()
    .ToDictionary(key => key, key => builder.AddParameter(key.Replace(':', '-').ToLowerInvariant(), secret: true));

var publishing = builder.ExecutionContext.IsPublishMode;
var projects = new Dictionary<string, IResourceBuilder<ProjectResource>>();
foreach (var service in Topology.Services.Where(service => !(service.LaptopOnly && publishing)))
{
    var project = projects[service.Name] = builder
        .AddProject(service.Name, $"../services/{service.Project}/{service.Project}.csproj", options => options.ExcludeLaunchProfile = true)
        .WithHttpEndpoint(port: Topology.DefaultBase + service.Port)
        .WithHttpHealthCheck("/health");
    foreach (var name in service.Connections)
        project.WithReference(connections[name]).WaitFor(connections[name]);
    foreach (var name in service.References)
        project.WithReference(projects[name]);
    foreach (var key in service.Settings.Concat(service.OptionalSettings))
        Set(project, service, key);
    if (service.Project == "Proxy")
        project.WithExternalHttpEndpoints();
}

builder.Build().Run();

// A server that runs elsewhere: ConnectionStrings__redis=… and so on.
IResourceBuilder<IResourceWithConnectionString>? Given(string name) =>
    IsGiven(name) ? builder.AddConnectionString(name) : null;

bool IsGiven(string name) => !string.IsNullOrEmpty(builder.Configuration.GetConnectionString(name));

void Set(IResourceBuilder<ProjectResource> project, Service service, string key)
{
    var variable = key.Replace(":", "__", StringComparison.Ordinal);
    if (secrets.TryGetValue(key, out var secret))
        project.WithEnvironment(variable, secret);
    else if (key == Topology.Spool)
        // Must outlive the process: a deployment mounts a volume here, one per proxy.
        project.WithEnvironment(variable, publishing ? "/var/lib/llmgateway/spool" : Path.GetFullPath($".data/aspire/{service.Name}/spool", Repository()));
    else if (key == Topology.SandboxUrl && projects.TryGetValue("sandbox", out var sandbox))
        project.WithEnvironment(variable, sandbox.GetEndpoint("http"));
    else if (key == Topology.Seed && !publishing)
        project.WithEnvironment(variable, Path.GetFullPath("AppHost/demo.seed.json", Repository()));
    else if (key is Topology.PrivateHosts or Topology.CaptureContent && builder.Configuration[key] is { Length: > 0 } hosts)
        project.WithEnvironment(variable, hosts);
}

string Repository() => Path.GetFullPath("..", builder.AppHostDirectory);
