namespace LlmGateway.Edge;

/// <summary>
/// Everybody in the comparison, and where they listen. The provider's port is also in <c>edge.seed.json</c>.
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
        Full, Cores.UnderTest, FullPort, Key, ["dotnet", Gateway.Assembly], Counted(gateway, FullPort), behind: gateway.Ledger);

    /// <summary>With the proxy's own runtime configuration and environment, so that the two cannot drift apart.</summary>
    public static Task<Target> StartUngovernedAsync(Gateway gateway)
    {
        var configuration = Path.ChangeExtension(Gateway.Assembly, ".runtimeconfig.json");
        return Target.StartAsync(Ungoverned, Cores.UnderTest, UngovernedPort, Key,
            ["dotnet", "exec", "--runtimeconfig", configuration, Self, "ungoverned", $"{UngovernedPort}", $"{MockPort}"],
            Counted(gateway, UngovernedPort));
    }

    /// <summary>A proxy's environment, and <see cref="StartupHook"/>.</summary>
    static Dictionary<string, string> Counted(Gateway gateway, int port) =>
        new(gateway.EnvironmentOfProxy(port)) { ["DOTNET_STARTUP_HOOKS"] = Self };
}
