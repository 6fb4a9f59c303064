using System.Runtime.InteropServices;

namespace LlmGateway.AppHost.Native;

/// <summary>
/// The Aspire dashboard: logs, traces and metrics of all services. It comes inside the Aspire CLI's npm package, is fetched once into
/// <c>.tools/</c>, and is a convenience: without it everything else runs.
/// </summary>
static class Dashboard
{
    const string Version = "13.5.4";
    static readonly TimeSpan FetchLimit = TimeSpan.FromMinutes(5);
    static readonly string Folder = Path.Combine(Folders.Repository, ".tools", "aspire-" + Version);
    static readonly string Package = $"aspire-cli-linux-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}";
    static readonly string Installed = Path.Combine(Folder, "node_modules", "@microsoft", Package);
    static readonly string Program = Path.Combine(Installed, "bundle", "managed", "aspire-managed");

    /// <summary>True when it can be started; says in one line why not otherwise.</summary>
    public static async Task<bool> FetchAsync()
    {
        if (File.Exists(Program))
            return true;
        if (!OneShot.Exists("npm"))
            return Skip("npm is not installed");
        Console.WriteLine("Fetching the Aspire dashboard (150 MB, once; --no-dashboard does without)…");
        Directory.CreateDirectory(Folder);
        var (code, output) = await OneShot.RunAsync("npm", ["install", "--prefix", Folder, "--no-audit", "--no-fund", $"@microsoft/{Package}@{Version}"], FetchLimit);
        if (code != 0)
            return Skip(LastLine(output));
        // The CLI unpacks what it carries, beside itself; its own state must not land in the user's home.
        (code, output) = await OneShot.RunAsync(Path.Combine(Installed, "bin", "aspire"), ["setup", "--non-interactive", "--nologo"], FetchLimit,
            environment: new() { ["ASPIRE_HOME"] = Path.Combine(Folder, "home"), ["ASPIRE_CLI_TELEMETRY_OPTOUT"] = "true" });
        return code == 0 && File.Exists(Program) || Skip(LastLine(output));
    }

    public static ProcessPlan Prepare(PortBlock ports) => new("dashboard", ProcessKind.Dashboard, ports[Topology.Ports.Dashboard])
    {
        Url = ports.Url(Topology.Ports.Dashboard),
        OtherPorts = [ports[Topology.Ports.OtlpGrpc], ports[Topology.Ports.OtlpHttp]],
        File = Program,
        Arguments = ["dashboard"],
        StopWave = Stack.ServerWave,
        Probe = Probes.Http(ports.Url(Topology.Ports.Dashboard)),
        Environment = new()
        {
            ["ASPNETCORE_URLS"] = ports.Url(Topology.Ports.Dashboard),
            ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = ports.Url(Topology.Ports.OtlpGrpc),
            ["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"] = ports.Url(Topology.Ports.OtlpHttp),
            // Nobody but this machine can reach it.
            ["ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS"] = "true",
            ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
            ["ASPIRE_CLI_TELEMETRY_OPTOUT"] = "true",
        },
    };

    static bool Skip(string why)
    {
        Console.WriteLine($"Without the Aspire dashboard: {why}.");
        return false;
    }

    static string LastLine(string output) => output.Trim().Split('\n').Last();
}
