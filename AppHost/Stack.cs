using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmGateway.AppHost;

/// <summary>
/// One stack of this machine: its ports, its data folder, what it is seeded with. The settings are configuration, so each may be an
/// argument (<c>--ports=5000</c>) or a variable of the environment.
/// </summary>
sealed class Stack
{
    /// <summary>Waits for what runs, what is in flight, and the servers' own shutdown.</summary>
    static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(90);

    public Stack(IDistributedApplicationBuilder builder)
    {
        Builder = builder;
        Base = Number("Ports", Ports.DefaultBase);
        Repository = Path.GetFullPath("..", builder.AppHostDirectory);
        Data = Path.GetFullPath(Text("Data") ?? Path.Combine(Repository, ".data"));
        // A colon separates paths, as everywhere on Linux.
        Seeds = Text("Seed") is { } seeds
            ? [.. seeds.Split(':').Select(Path.GetFullPath)]
            : DemoSeeds.Paths(Repository, name => builder.Configuration[name]);
        Secrets = new(Path.Combine(Data, "secrets.json"));
        if (!Runs)
            return;
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = StopLimit);
        builder.Services.AddSingleton(this);
        // The first to be started is the last to be stopped: services end in order before the orchestrator ends everything.
        builder.Services.AddHostedService<OrderlyStop>();
        builder.Services.AddHostedService<Readiness>();
        builder.Eventing.Subscribe<BeforeStartEvent>((_, token) => Preparation.RunAsync(this, token));
        if (HasDashboard)
            builder.Configuration.AddInMemoryCollection(DashboardSettings());
    }

    public IDistributedApplicationBuilder Builder { get; }

    /// <summary>The first port; see <see cref="Ports"/>.</summary>
    public int Base { get; }

    public string Repository { get; }

    public string Data { get; }

    public string[] Seeds { get; }

    public bool HasDashboard => Text("Dashboard") != "false";

    /// <summary>Has the app host's process id while it runs; when it is there before the start, the last one was killed.</summary>
    public string ProcessFile => Path.Combine(Data, "apphost.pid");

    /// <summary>Appears when everything is healthy, with what a user wants to know then.</summary>
    public string ReadyFile => Path.Combine(Data, "ready");

    /// <summary>Appears when the start is given up, with the reason.</summary>
    public string FailedFile => Path.Combine(Data, "failed");

    public Secrets Secrets { get; }

    /// <summary>False while a manifest is written: then nothing of this machine is touched.</summary>
    public bool Runs => Builder.ExecutionContext.IsRunMode;

    /// <summary>Tells the data folders of this machine apart.</summary>
    public string Id => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Data)))[..16];

    /// <summary>Where the servers are, for the screen.</summary>
    public string ServersAre { get; set; } = "";

    public List<string> Refusals { get; } = [];

    /// <summary>What must be done before anything starts, e.g. making a server's data folder.</summary>
    public List<Func<CancellationToken, Task>> Preparations { get; } = [];

    /// <summary>Ports that must be free before anything starts, and whose they are.</summary>
    public List<(string Name, int Port)> Taken { get; } = [];

    /// <summary>Why the start was given up; null while all is well.</summary>
    public string? Failed { get; set; }

    /// <summary>Options that must be known before there is configuration.</summary>
    public static DistributedApplicationOptions Options(string[] args) => new()
    {
        Args = args,
        DisableDashboard = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine(args).Build()["Dashboard"] == "false",
    };

    public string? Text(string key) => Builder.Configuration[key] is { Length: > 0 } value ? value : null;

    public int Port(string name, int offset)
    {
        Taken.Add((name, Base + offset));
        return Base + offset;
    }

    /// <summary>Creates the folder of one server or service.</summary>
    public string Folder(params string[] names) => Directory.CreateDirectory(Path.Combine([Data, .. names])).FullName;

    public IResourceBuilder<ParameterResource> AddSecret(string name) => Secrets.AddTo(Builder, name);

    /// <summary>Runs until it is told to stop. A start that fails is one line and exit code 1.</summary>
    public async Task<int> RunAsync()
    {
        try
        {
            await Builder.Build().RunAsync();
        }
        catch (Failure failure)
        {
            Tell(failure.Message);
        }
        finally
        {
            Preparation.LeaveFolder(this);
        }
        return Failed is null ? 0 : 1;
    }

    /// <summary>Tells the user, and <c>./dev</c> through a file, why the start is given up.</summary>
    public void Tell(string failure)
    {
        Failed = failure;
        Console.Error.WriteLine(failure);
        if (File.Exists(ProcessFile))
            File.WriteAllText(FailedFile, failure + "\n");
    }

    /// <summary>Notes why this stack cannot start. It is told before anything starts; the composition goes on until then.</summary>
    public void Refuse(string why) => Refusals.Add(why);

    int Number(string key, int otherwise)
    {
        if (Text(key) is not { } text)
            return otherwise;
        if (int.TryParse(text, out var number) && number is >= 1024 and <= 65_000)
            return number;
        Refuse($"{key} must be a number from 1024 to 65000, not '{text}'");
        return otherwise;
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
