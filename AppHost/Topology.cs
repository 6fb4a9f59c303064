namespace LlmGateway.AppHost;

/// <summary>
/// A process of ours: a project under <c>services/</c>, and everything it is given. A test holds these lists against what the service itself
/// declares in its <c>Configuration.Needs</c>.
/// </summary>
/// <param name="Name">The name that others, telemetry and <c>./dev</c> know it by.</param>
/// <param name="Project">Folder under <c>services/</c>; two services may run the same project.</param>
/// <param name="Port">Offset from the stack's base port.</param>
public sealed record Service(string Name, string Project, int Port)
{
    /// <summary>Names of connection strings; each is a resource of <see cref="Topology"/>.</summary>
    public string[] Connections { get; init; } = [];

    /// <summary>Services that it calls.</summary>
    public string[] References { get; init; } = [];

    /// <summary>Configuration keys that must have a value.</summary>
    public string[] Settings { get; init; } = [];

    /// <summary>Configuration keys that may have one.</summary>
    public string[] OptionalSettings { get; init; } = [];

    /// <summary>Plays the outside world on a developer's machine; never deployed.</summary>
    public bool LaptopOnly { get; init; }
}

/// <summary>What runs and who needs whom, said once. The native engine and the Aspire engine both run exactly this.</summary>
public static class Topology
{
    public const int DefaultBase = 4000;

    /// <summary>Resources that are not databases; every other connection name is a PostgreSQL database of that name.</summary>
    public const string Redis = "redis", RabbitMq = "rabbitmq";

    /// <summary>The settings that services have, by configuration key.</summary>
    public const string InternalKey = "Gateway:InternalKey", MasterKey = "Gateway:MasterKey", Pepper = "Gateway:Pepper",
        Spool = "Proxy:Spool", Seed = "LLMGATEWAY_SEED", SandboxUrl = "SANDBOX_URL", PrivateHosts = "Gateway:PrivateHosts", CaptureContent = "Telemetry:CaptureContent";

    /// <summary>In the order in which they depend on each other; each retries what it needs, so that the order only makes a start quicker.</summary>
    public static readonly IReadOnlyList<Service> Services =
    [
        new("sandbox", "Sandbox", 20) { LaptopOnly = true },
        new("wallet", "Wallet", 12)
        {
            Connections = ["wallet", Redis, RabbitMq],
            Settings = [InternalKey, MasterKey],
        },
        new("sessions", "Sessions", 11)
        {
            Connections = ["sessions", Redis, RabbitMq],
            References = ["wallet"],
            Settings = [InternalKey, MasterKey, Pepper],
            OptionalSettings = [Seed, SandboxUrl],
        },
        Proxy("proxy", 1),
        // The same application again: every developer's machine is a cluster of two, so nothing can quietly assume that it is alone.
        Proxy("proxy2", 2),
    ];

    static Service Proxy(string name, int port) => new(name, "Proxy", port)
    {
        Connections = [Redis, RabbitMq],
        References = ["sessions", "wallet"],
        Settings = [InternalKey, MasterKey, Spool],
        OptionalSettings = [PrivateHosts, CaptureContent],
    };

    /// <summary>Offsets of the ports that are not a service's.</summary>
    public static class Ports
    {
        public const int Dashboard = 30, OtlpGrpc = 31, OtlpHttp = 32, Postgres = 40, Redis = 41, RabbitMq = 42, ErlangDistribution = 43, Epmd = 44;

        /// <summary>Where the fault tests put a faulty network in front of the sandbox.</summary>
        public const int Faults = 70;

        /// <summary>Highest offset in use, the product dashboard's.</summary>
        public const int Last = 80;
    }

    /// <summary>Databases, each owned, created and migrated by the service of the same name.</summary>
    public static IEnumerable<string> Databases => Services.SelectMany(service => service.Connections).Distinct().Where(name => name is not (Redis or RabbitMq));

    /// <summary>How many services lie below this one; those that nobody calls any more stop first.</summary>
    public static int Depth(Service service) =>
        service.References.Select(name => 1 + Depth(Services.Single(other => other.Name == name))).DefaultIfEmpty().Max();
}
