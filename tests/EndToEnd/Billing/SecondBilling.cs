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
        _process = Process.Start(start)!;
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

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
