using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmGateway.AppHost;

/// <summary>
/// One stack of this machine: its ports, its data folder, what it is seeded with. The settings are configuration, so each may be an
/// argument (<c>--ports=5000</c>) or a variable of the environment.
/// </summary>
sealed class Stack
{
    /// <summary>How this app host was built, and with it the services.</summary>
    public static readonly string Configuration =
        typeof(Stack).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration.ToLowerInvariant();

    /// <summary>Waits for what runs, what is in flight, and the servers' own shutdown.</summary>
    static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(90);

    readonly List<Func<CancellationToken, Task>> _preparations = [];

    readonly List<(string Name, int Port)> _ports = [];

    string? _failed;

    public Stack(IDistributedApplicationBuilder builder)
    {
        Builder = builder;
        if (Text("Ports") is { } first)
        {
            Base = int.TryParse(first, out var number) ? number : 0;
            if (Base is < 1024 or > 65_000)
                Refusals.Add($"Ports must be a number from 1024 to 65000, not '{first}'");
        }
        var repository = Path.GetFullPath("..", builder.AppHostDirectory);
        Folder = new(Path.GetFullPath(Text("Data") ?? Path.Combine(repository, ".data")));
        Programs = Path.Combine(repository, "artifacts", "bin");
        Secrets = new(Folder, builder.Configuration);
        // A colon separates paths, as everywhere on Linux.
        Seeds = Text("Seed") is { } seeds
            ? [.. seeds.Split(':').Select(Path.GetFullPath)]
            : DemoSeeds.Paths(builder.AppHostDirectory, name => builder.Configuration[name]);
        SeedRun = Text("Seed") is null ? "" : Guid.NewGuid().ToString("N");
        if (!Runs)
            return;
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = StopLimit);
        builder.Services.AddSingleton(this);
        // A start that is interrupted is no error, and one that fails is told in a line.
        builder.Services.AddLogging(logging => logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None));
        builder.Services.AddHostedService<OrderlyStop>();
        builder.Services.AddHostedService<Readiness>();
        builder.Eventing.Subscribe<BeforeStartEvent>((_, token) => PrepareAsync(token));
        if (HasDashboard)
            builder.Configuration.AddInMemoryCollection(DashboardSettings());
    }

    public IDistributedApplicationBuilder Builder { get; }

    /// <summary>The first port; see <see cref="Ports"/>.</summary>
    public int Base { get; } = Ports.DefaultBase;

    public StackFolder Folder { get; }

    /// <summary>Where the services' programs are.</summary>
    public string Programs { get; }

    public string[] Seeds { get; }

    /// <summary>Seeds that are named by hand are applied at this start, also where they say nothing new.</summary>
    public string SeedRun { get; }

    public bool HasDashboard => Text("Dashboard") != "false";

    public Secrets Secrets { get; }

    /// <summary>False while a manifest is written: then nothing of this machine is touched.</summary>
    public bool Runs => Builder.ExecutionContext.IsRunMode;

    /// <summary>Tells the data folders of this machine apart.</summary>
    public string Id => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Folder.Path)))[..16];

    /// <summary>Where the servers are, for the screen.</summary>
    public string ServersAre { get; set; } = "";

    /// <summary>How long it may take until everything is healthy.</summary>
    public TimeSpan StartLimit { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>Why this stack cannot start. It is told before anything starts; the composition goes on until then.</summary>
    public List<string> Refusals { get; } = [];

    /// <summary>Options that must be known before there is configuration.</summary>
    public static DistributedApplicationOptions Options(string[] args) => new()
    {
        Args = args,
        DisableDashboard = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine(args).Build()["Dashboard"] == "false",
    };

    /// <summary>Whether it is a process or container that starts with the stack.</summary>
    public static bool IsStarted(IResource resource) =>
        resource is (ProjectResource or ExecutableResource or ContainerResource)
        && !resource.HasAnnotationOfType<ExplicitStartupAnnotation>();

    public string? Text(string key) => Builder.Configuration[key] is { Length: > 0 } value ? value : null;

    /// <summary>A port that must be free before anything starts.</summary>
    public int Port(string name, int offset)
    {
        _ports.Add((name, Base + offset));
        return Base + offset;
    }

    public IResourceBuilder<ParameterResource> AddSecret(string name)
    {
        // Connection strings and the servers' own files have their rules for other characters.
        var password = name.EndsWith("-password", StringComparison.Ordinal) ? Text($"Parameters:{name}") : null;
        if (password is not null && !password.All(char.IsAsciiLetterOrDigit))
            Refusals.Add($"Parameters:{name} may have letters and digits alone");
        return Secrets.AddTo(Builder, name);
    }

    /// <param name="setting">Under which services read it.</param>
    public StackKeys AddKeys(string name, string setting) => new(setting, AddSecret(name), Secrets.AddAcceptedTo(Builder, name));

    /// <summary>Something that must be done before anything starts, e.g. making a server's data folder.</summary>
    public void Prepare(Func<CancellationToken, Task> prepare) => _preparations.Add(prepare);

    public void Prepare(Action prepare) => Prepare(_ =>
    {
        prepare();
        return Task.CompletedTask;
    });

    /// <summary>Runs until it is told to stop. A start that fails is one line and exit code 1.</summary>
    public async Task<int> RunAsync()
    {
        try
        {
            var app = Builder.Build();
            await app.RunAsync();
            if (app.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.IsCancellationRequested)
                Folder.Leave();
        }
        catch (Exception e) when (e is DistributedApplicationException or IOException or UnauthorizedAccessException)
        {
            Tell(e.Message);
            Folder.Leave();
        }
        Folder.Dispose();
        return _failed is null ? 0 : 1;
    }

    /// <summary>Tells the user, and <c>./dev</c> through a file, why the start is given up.</summary>
    public void Tell(string failure)
    {
        _failed = failure;
        Console.Error.WriteLine(failure);
        Folder.TellFailed(failure);
    }

    async Task PrepareAsync(CancellationToken token)
    {
        Folder.Take();
        if (Refusals is [var refusal, ..])
            throw new DistributedApplicationException(refusal);
        await Ports.RequireFreeAsync(_ports, wait: Folder.WasCut, token);
        foreach (var prepare in _preparations)
            await prepare(token);
    }

    /// <summary>Like every other port of the stack, the dashboard's follow from its base. Only this machine can reach them.</summary>
    Dictionary<string, string?> DashboardSettings() => new()
    {
        ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{Port("dashboard", Ports.Dashboard)}",
        ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = $"http://127.0.0.1:{Port("dashboard, OTLP", Ports.Otlp)}",
        ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = $"http://127.0.0.1:{Port("dashboard, resources", Ports.ResourceService)}",
        ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
    };
}
