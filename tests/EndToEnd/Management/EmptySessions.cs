using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using LlmGateway.Contracts;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Another Sessions beside the app's own, with the same settings, no broker and an empty database, which has applied a seed file.
/// </summary>
sealed class EmptySessions : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly Process _process;
    readonly Uri _url;
    readonly string _folder;

    EmptySessions(Process process, Uri url, string folder) => (_process, _url, _folder) = (process, url, folder);

    /// <param name="variables">Of the file.</param>
    public static async Task<EmptySessions> StartAsync(string seed, IReadOnlyDictionary<string, string> variables)
    {
        var folder = Directory.CreateTempSubdirectory("llmgateway-empty-").FullName;
        var file = Path.Combine(folder, "exported.seed.json");
        await File.WriteAllTextAsync(file, seed, TestContext.Current.CancellationToken);
        var first = Stack.ProcessId("sessions")!.Value;
        var url = new Uri($"http://127.0.0.1:{FreePort()}");
        var start = new ProcessStartInfo(new FileInfo($"/proc/{first}/exe").ResolveLinkTarget(returnFinalTarget: true)!.FullName)
        {
            WorkingDirectory = AppContext.BaseDirectory, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment.Clear();
        var environment = await File.ReadAllTextAsync($"/proc/{first}/environ", TestContext.Current.CancellationToken);
        foreach (var variable in environment.Split('\0', StringSplitOptions.RemoveEmptyEntries))
            start.Environment[variable[..variable.IndexOf('=', StringComparison.Ordinal)]] =
                variable[(variable.IndexOf('=', StringComparison.Ordinal) + 1)..];
        start.Environment["ASPNETCORE_URLS"] = url.ToString();
        start.Environment["ConnectionStrings__sessions"] = new NpgsqlConnectionStringBuilder(Stack.Connection("sessions"))
        {
            Database = $"sessions_{Ids.New():N}",
        }.ConnectionString;
        // It would take from the app's own what that is told.
        start.Environment["ConnectionStrings__rabbitmq"] = "amqp://127.0.0.1:9";
        start.Environment["LLMGATEWAY_SEED"] = file;
        start.Environment["Sessions__KeyFile"] = Path.Combine(folder, "keys.json");
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        var empty = new EmptySessions(Process.Start(start)!, url, folder);
        var said = empty.ReadAsync();
        await Eventually.HoldsAsync(
            async () => empty._process.HasExited
                ? throw new InvalidOperationException(await said)
                : await Outage.HealthAsync(url) is { Status: 200 },
            "an empty Sessions", Patience);
        return empty;
    }

    /// <summary>As the edge asks for the project's backend.</summary>
    public Task<Reply> GetAsync(string path, Principal backend) => Gateway.SendAsync("GET", path, at: _url, headers:
    [
        (ServiceCall.Header, new ServiceCall(ServiceCall.Proxy, ServiceCall.Sessions, backend).Sign(ServiceCall.SealOf(
            [KeySetting.Read(Stack.App.InternalKey, KeySetting.InternalKey)], TimeProvider.System))),
    ]);

    public async ValueTask DisposeAsync()
    {
        _process.Kill(); // its database is nobody's
        using var limit = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(limit.Token);
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    async Task<string> ReadAsync() =>
        string.Concat(await Task.WhenAll(_process.StandardOutput.ReadToEndAsync(), _process.StandardError.ReadToEndAsync()));

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
