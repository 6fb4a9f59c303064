using System.Collections.Concurrent;
using System.Net.NetworkInformation;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmGateway.Harness;

/// <summary>
/// The app of AppHost/AppHost.cs, started for tests or a benchmark: a data folder and ports of its own, no dashboard. What dies is started
/// again, unless it is held; <see cref="Once"/> changes the environment of its next life.
/// </summary>
public sealed class RunningApp : IAsyncDisposable
{
    /// <summary>What is in flight may take so many seconds to be booked.</summary>
    const string BooksWithin = "90";

    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(150), BuildLimit = TimeSpan.FromSeconds(30);

    /// <summary>Room for the offsets of AppHost's ports; the range is below the one that the system hands out by itself.</summary>
    const int PortsOfAnApp = 100, FirstPort = 15_000, LastPort = 32_000;

    /// <summary>As AppHost's ports have it.</summary>
    const int SandboxPort = 20;

    readonly DistributedApplication _app;
    readonly Supervisor _supervisor;
    readonly LogFiles _logs;
    readonly ConcurrentDictionary<string, (string Variable, string Value)> _once;
    readonly ConcurrentDictionary<string, (string Variable, string Value)[]> _always;

    RunningApp(
        DistributedApplication app, ConcurrentDictionary<string, (string, string)> once,
        ConcurrentDictionary<string, (string, string)[]> always, int ports, string data)
    {
        (_app, _once, _always, Ports, Data) = (app, once, always, ports, data);
        _logs = new(app, Path.Combine(data, "logs"));
        _supervisor = new(app);
    }

    /// <summary>The first of its ports.</summary>
    public int Ports { get; }

    public string Data { get; }

    /// <summary>The app's own first key, for calls of its internal ports.</summary>
    public string InternalKey { get; private set; } = "";

    /// <summary>The key of the hashes by which Sessions finds credentials.</summary>
    public string Pepper { get; private set; } = "";

    public IReadOnlyDictionary<string, string> Connections { get; private set; } = new Dictionary<string, string>();

    /// <param name="seeds">The app's own when there are none.</param>
    /// <param name="faults">The address that seed files know as <c>${FAULTS_URL}</c> is this offset from the first port.</param>
    public static async Task<RunningApp> StartAsync(string[] seeds, int? faults, CancellationToken token)
    {
        var ports = FreePorts();
        var data = Directory.CreateTempSubdirectory("llmgateway-");
        // The servers' own users pass through.
        data.UnixFileMode |= UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        string[] arguments =
        [
            $"--data={data.FullName}", $"--ports={ports}", $"--seed={string.Join(':', seeds)}", "--dashboard=false", "--servers=local",
            "--screen=false", "--DcpPublisher:RandomizePorts=false",
            // By this address of the sandbox, and by no other one, tenants reach it.
            $"--Gateway:PrivateHosts=127.0.0.1:{ports + SandboxPort}",
            // Every test has the same address.
            "--Proxy:FailedIdentificationsPerMinute=100000",
            .. faults is { } offset ? [$"--FAULTS_URL=http://127.0.0.1:{ports + offset}"] : Array.Empty<string>(),
        ];
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(arguments, token);
        // What processes say is in files, see LogFiles.
        builder.Services.AddLogging(logging => logging
            .SetMinimumLevel(LogLevel.Warning)
            .AddFilter("LlmGateway.AppHost.Resources", LogLevel.None)
            .AddFilter("Aspire.Hosting.Dcp", LogLevel.None)
            .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None));
        var once = new ConcurrentDictionary<string, (string Variable, string Value)>();
        var always = new ConcurrentDictionary<string, (string Variable, string Value)[]>();
        foreach (var service in builder.Resources.OfType<ProjectResource>())
            service.Annotations.Add(new EnvironmentCallbackAnnotation(context =>
            {
                foreach (var (variable, value) in always.GetValueOrDefault(service.Name, []))
                    context.EnvironmentVariables[variable] = value;
                if (once.TryRemove(service.Name, out var order))
                    context.EnvironmentVariables[order.Variable] = order.Value;
            }));
        var running = new RunningApp(await builder.BuildAsync(token).WaitAsync(BuildLimit, token), once, always, ports, data.FullName);
        try
        {
            await running.StartAsync(token);
            return running;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }

    public Uri Url(string name) => _app.GetEndpoint(name, "http");

    /// <summary>The process itself, below those that only start it; null while it is down.</summary>
    public int? ProcessId(string name) => _supervisor.ProcessId(name);

    /// <summary>Keeps a process from being started again.</summary>
    public void Hold(string name) => _supervisor.Hold(name);

    /// <summary>Starts it again.</summary>
    public Task ReleaseAsync(string name) => _supervisor.ReleaseAsync(name);

    /// <summary>Changes a service's environment at its next start, and only then.</summary>
    public void Once(string name, string variable, string value) => _once[name] = (variable, value);

    /// <summary>Changes a service's environment from its next start on; without an order it is as before.</summary>
    public void Always(string name, params (string Variable, string Value)[] order) => _always[name] = order;

    public void ForgetOrders() => _once.Clear();

    /// <summary>Whether the service has not been started yet with what <see cref="Once"/> ordered.</summary>
    public bool IsOrdered(string name) => _once.ContainsKey(name);

    /// <summary>What a process has printed, as a file that grows.</summary>
    public string Log(string name) => _logs.Path(name);

    /// <summary>Has the ledger prove its books when all is booked, and Webhooks that all was told, by their commands.</summary>
    /// <returns>Whether both are right, and what a person reads.</returns>
    public async Task<(bool Balance, string Report)> VerifyAsync()
    {
        var books = await CommandAsync("wallet", ("wait", BooksWithin), ("full", "true"));
        var events = await CommandAsync("webhooks", ("wait", BooksWithin));
        return (books.Ok && events.Ok, $"{books.Report}\n{events.Report}");

        async Task<(bool Ok, string Report)> CommandAsync(string service, params (string Name, string Value)[] inputs)
        {
            var commands = _app.Services.GetRequiredService<ResourceCommandService>();
            var result = await commands.ExecuteCommandAsync(
                service, "verify",
                new([.. inputs.Select(
                    input => new InteractionInput { Name = input.Name, InputType = InputType.Text, Value = input.Value })]),
                CancellationToken.None);
            return (result.Success, result.Data?.Value ?? result.Message ?? "");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _supervisor.Dispose();
        await _app.DisposeAsync();
        _logs.Dispose();
        Directory.Delete(Data, recursive: true);
    }

    async Task StartAsync(CancellationToken token)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(StartLimit);
        var services = _app.Services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<ProjectResource>().ToList();
        var healthy = services.ToDictionary(
            service => service.Name, service => _app.ResourceNotifications.WaitForResourceHealthyAsync(service.Name, limit.Token));
        await _app.StartAsync(limit.Token);
        try
        {
            await Task.WhenAll(healthy.Values);
        }
        catch (Exception e)
        {
            var missing = healthy.Where(service => !service.Value.IsCompletedSuccessfully)
                .Select(service => $"{service.Key} ({_logs.LastLine(service.Key)})");
            throw new InvalidOperationException($"not healthy after {StartLimit.TotalSeconds} s: {string.Join(", ", missing)}", e);
        }
        InternalKey = (await Parameter("internal-key").GetValueAsync(token))!;
        Pepper = (await Parameter("pepper").GetValueAsync(token))!;
        Connections = new Dictionary<string, string>
        {
            ["wallet"] = await ConnectionAsync("walletdb"),
            ["sessions"] = await ConnectionAsync("sessionsdb"),
            ["webhooks"] = await ConnectionAsync("webhooksdb"),
            ["billing"] = await ConnectionAsync("billingdb"),
            ["redis"] = await ConnectionAsync("redis"),
            ["rabbitmq"] = await ConnectionAsync("rabbitmq"),
        };
        _supervisor.Start();

        async Task<string> ConnectionAsync(string name) => (await _app.GetConnectionStringAsync(name, token))!;
    }

    ParameterResource Parameter(string name) =>
        _app.Services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<ParameterResource>()
            .Single(parameter => parameter.Name == name);

    static int FreePorts()
    {
        var taken = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(listener => listener.Port).ToHashSet();
        var blocks = Enumerable.Range(FirstPort / PortsOfAnApp, (LastPort - FirstPort) / PortsOfAnApp)
            .Select(block => block * PortsOfAnApp).ToArray();
        Random.Shared.Shuffle(blocks);
        return blocks.First(block => !Enumerable.Range(block, PortsOfAnApp).Any(taken.Contains));
    }
}
