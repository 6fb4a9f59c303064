using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>Another instance of Billing beside the app's own, with the same settings and the same database.</summary>
public sealed class SecondBilling : IAsyncLifetime
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    Process? _process;

    public async ValueTask InitializeAsync()
    {
        (_process, var url) = await RunAsync([]);
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.HoldsAsync(async () => await Outage.HealthAsync(new(url)) is { Status: 200 }, "a second Billing", Patience);
    }

    /// <summary>Other tests pay meanwhile: what it leaves of Stripe's events is the first one's at once, and not after a minute.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is null)
            return;
        using var process = _process;
        await Outage.TrySignalAsync("TERM", process.Id);
        using var limit = new CancellationTokenSource(Patience);
        await process.WaitForExitAsync(limit.Token);
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        await using var left = database.CreateCommand("update stripe_event set next_at = now() where status = 'waiting'");
        await left.ExecuteNonQueryAsync(CancellationToken.None);
    }

    /// <summary>What one says until it ends by itself, because it must not run with these settings.</summary>
    public static async Task<string> EndAsync(Dictionary<string, string> settings)
    {
        var (process, _) = await RunAsync(settings);
        using (process)
        {
            var said = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(Patience);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience);
            Assert.Equal(1, process.ExitCode);
            return said;
        }
    }

    static async Task<(Process Process, string Url)> RunAsync(Dictionary<string, string> settings)
    {
        var first = Stack.ProcessId("billing")!.Value;
        var url = $"http://127.0.0.1:{FreePort()}";
        var start = new ProcessStartInfo(new FileInfo($"/proc/{first}/exe").ResolveLinkTarget(returnFinalTarget: true)!.FullName)
        {
            WorkingDirectory = AppContext.BaseDirectory, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment.Clear();
        var environment = await File.ReadAllTextAsync($"/proc/{first}/environ", TestContext.Current.CancellationToken);
        foreach (var variable in environment.Split('\0', StringSplitOptions.RemoveEmptyEntries))
            start.Environment[variable[..variable.IndexOf('=', StringComparison.Ordinal)]] =
                variable[(variable.IndexOf('=', StringComparison.Ordinal) + 1)..];
        start.Environment["ASPNETCORE_URLS"] = url;
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        return (Process.Start(start)!, url);
    }

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
