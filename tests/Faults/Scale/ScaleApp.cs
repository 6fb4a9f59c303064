namespace LlmGateway.Faults;

/// <summary>
/// The app's services with <see cref="StartupHook"/> in them; a second door of the first proxy, and a small spool of the second one; and
/// the end users of <see cref="ScaleTests"/>.
/// </summary>
public sealed class ScaleApp : IAsyncLifetime
{
    /// <summary>Offset of the first proxy's second port, where callers speak HTTP/2 and many streams share a connection.</summary>
    const int Http2 = 71;

    internal static Uri ProxyOverHttp2 { get; } = new($"http://127.0.0.1:{Stack.App.Ports + Http2}");

    internal static Population People { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await Processes.HealthyAsync();
        var hook = ("DOTNET_STARTUP_HOOKS", typeof(ScaleApp).Assembly.Location);
        Stack.App.Always("sessions", hook);
        Stack.App.Always("wallet", hook);
        Stack.App.Always(
            "proxy",
            hook,
            ("Kestrel__Endpoints__Http__Url", Stack.Proxy.ToString()),
            ("Kestrel__Endpoints__Http2__Url", ProxyOverHttp2.ToString()),
            ("Kestrel__Endpoints__Http2__Protocols", "Http2"));
        Stack.App.Always("proxy2", hook, ("Proxy__SpoolMegabytes", $"{Sizes.Now.SpoolMegabytes}"));
        await RestartAsync();
        People = await Population.CreateAsync(Math.Max(Sizes.Now.Sessions, Sizes.Now.Streams));
    }

    /// <summary>Other tests want the services as they are.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var name in Processes.Gateway)
            Stack.App.Always(name);
        await RestartAsync();
    }

    static async Task RestartAsync()
    {
        await Task.WhenAll(Processes.Gateway.Select(Outage.KillAsync));
        await Processes.HealthyAsync();
    }
}
