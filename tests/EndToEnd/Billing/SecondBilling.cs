using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace LlmGateway.EndToEnd;

/// <summary>Another instance of Billing beside the app's own, with the same settings and the same database.</summary>
sealed class SecondBilling : IAsyncDisposable
{
    readonly Process _process;

    SecondBilling(Process process) => _process = process;

    public static async Task<SecondBilling> StartAsync()
    {
        var (process, url) = await RunAsync([]);
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await Eventually.HoldsAsync(
            async () => await Outage.HealthAsync(new(url)) is { Status: 200 }, "a second Billing", TimeSpan.FromSeconds(60));
        return new(process);
    }

    /// <summary>What it says until it ends by itself, as one that must not run with these settings.</summary>
    public static async Task<string> EndAsync(Dictionary<string, string> settings)
    {
        var (process, _) = await RunAsync(settings);
        using (process)
        {
            var said = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)
                .WaitAsync(TimeSpan.FromSeconds(60));
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(60));
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

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
