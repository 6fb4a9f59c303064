using System.Text.Json;

namespace LlmGateway.Edge;

/// <summary>Our proxy as <c>./dev bench</c> describes it: a stack is running, and one more proxy of it is ours to start.</summary>
/// <param name="Assembly">Of services/Proxy.</param>
/// <param name="Environment">What a proxy of that stack is run with.</param>
/// <param name="Redis">Connection string.</param>
/// <param name="Ledger">Processes that work behind the proxies.</param>
/// <param name="Peers">Folder of <c>peers/package.json</c>; null when its packages could not be installed.</param>
sealed record Gateway(string Assembly, Dictionary<string, string> Environment, string Redis, int[] Ledger, string? Peers)
{
    public static Gateway Given()
    {
        var given = System.Environment.GetEnvironmentVariable("BENCH_GATEWAY")
            ?? throw new InvalidOperationException("use ./dev bench edge, which starts the stack");
        return JsonSerializer.Deserialize<Gateway>(given, JsonSerializerOptions.Web)!;
    }
}

/// <summary>
/// Everybody in the comparison, and where they listen. The gateway's ports and the provider's are also those of <c>./dev bench</c> and
/// <c>edge.seed.json</c>.
/// </summary>
static class Rig
{
    public const string Direct = "direct", Nginx = "nginx", Yarp = "yarp", Portkey = "portkey", Ungoverned = "ungoverned", Full = "full";

    const int FullPort = 6003, MockPort = 6090, YarpPort = 6091, NginxPort = 6092, PortkeyPort = 6093, UngovernedPort = 6094;
    const string Key = "llm_gw_bench_limited_0123456789_abcdefghijklmnopqrstuvwxyz";

    public static string Self { get; } = Path.Combine(AppContext.BaseDirectory, "LlmGateway.Edge.dll");

    public static Task<Target> StartMockAsync() =>
        Target.StartAsync(Direct, Cores.OfTheRest, MockPort, Key, ["dotnet", Self, "mock", $"{MockPort}"]);

    public static Task<Target> StartYarpAsync() =>
        Target.StartAsync(Yarp, Cores.UnderTest, YarpPort, Key, ["dotnet", Self, "yarp", $"{YarpPort}", $"{MockPort}"]);

    public static Task<Target> StartNginxAsync(string folder) => Edge.Nginx.StartAsync(folder, NginxPort, MockPort, Key);

    public static Task<Target> StartPortkeyAsync(string peers) => Edge.Portkey.StartAsync(peers, PortkeyPort, MockPort, Key);

    public static Task<Target> StartFullAsync(Gateway gateway) => Target.StartAsync(
        Full, Cores.UnderTest, FullPort, Key, ["dotnet", gateway.Assembly], Counted(gateway), behind: new Ledger(gateway.Ledger));

    /// <summary>With the proxy's own runtime configuration and environment, so that the two cannot drift apart.</summary>
    public static Task<Target> StartUngovernedAsync(Gateway gateway)
    {
        var configuration = Path.ChangeExtension(gateway.Assembly, ".runtimeconfig.json");
        return Target.StartAsync(Ungoverned, Cores.UnderTest, UngovernedPort, Key,
            ["dotnet", "exec", "--runtimeconfig", configuration, Self, "ungoverned", $"{UngovernedPort}", $"{MockPort}"], Counted(gateway));
    }

    /// <summary>The proxy's environment, and <see cref="StartupHook"/>.</summary>
    static Dictionary<string, string> Counted(Gateway gateway) => new(gateway.Environment) { ["DOTNET_STARTUP_HOOKS"] = Self };
}
