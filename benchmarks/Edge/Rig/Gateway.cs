using System.Diagnostics;
using System.Globalization;
using LlmGateway.Harness;

namespace LlmGateway.Edge;

/// <summary>
/// A stack of the bench's own, seeded for it. The proxy that is measured is one more of its proxies, which the bench starts itself.
/// </summary>
sealed class Gateway : IAsyncDisposable
{
    readonly RunningApp _app;
    readonly Dictionary<string, string> _environment;

    Gateway(RunningApp app)
    {
        _app = app;
        _environment = EnvironmentOf(Id("proxy"));
        Ledger = new(Id("wallet"), Id("postgres"), Id("rabbitmq"));
    }

    /// <summary>Of services/Proxy, beside our own folder.</summary>
    public static string Assembly { get; } =
        Path.GetFullPath("../../Proxy/release/LlmGateway.Proxy.dll", AppContext.BaseDirectory);

    /// <summary>Works behind every proxy.</summary>
    public Ledger Ledger { get; }

    /// <summary>Connection string.</summary>
    public string Redis => _app.Connections["redis"];

    public static async Task<Gateway> StartAsync(CancellationToken token = default) =>
        new(await RunningApp.StartAsync([Path.Combine(AppContext.BaseDirectory, "edge.seed.json")], faults: null, token));

    /// <summary>
    /// As the stack's own proxies have it, on another port and with a spool of its own. An app without a dashboard exports no telemetry,
    /// which would be measured, too.
    /// </summary>
    public Dictionary<string, string> EnvironmentOfProxy(int port) => new(_environment)
    {
        ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}",
        // A single session looks at its balance as often as all others together.
        ["Proxy__UserCallsPerMinute"] = "1000000000",
        ["Proxy__Spool"] = Path.Combine(_app.Data, "spool", $"{port}"),
    };

    /// <summary>The books must balance when the ledger has worked off what the load has left it.</summary>
    public async Task<bool> VerifyAsync()
    {
        var clock = Stopwatch.StartNew();
        var (balance, report) = await _app.VerifyAsync();
        Console.WriteLine($"\n{report.TrimEnd()}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"The books {(balance ? "balance" : "do not balance")}, {clock.Elapsed.TotalSeconds:F1} s after the last run."));
        return balance;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    int Id(string name) => _app.ProcessId(name) ?? throw new InvalidOperationException($"{name} does not run");

    static Dictionary<string, string> EnvironmentOf(int process) => File.ReadAllText($"/proc/{process}/environ")
        .Split('\0', StringSplitOptions.RemoveEmptyEntries)
        .Select(variable => variable.Split('=', 2))
        .ToDictionary(variable => variable[0], variable => variable[1]);
}
