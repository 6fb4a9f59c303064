using LlmGateway.Contracts;

namespace LlmGateway.Harness;

/// <summary>The app under test, as tests use it.</summary>
static class Stack
{
    /// <summary>Where the fault tests put a faulty network in front of the sandbox, from the first port on.</summary>
    public const int Faults = 70;

    const int StripePort = 21;

    static RunningApp? _app;

    public static RunningApp App
    {
        get => _app ?? throw new InvalidOperationException("the app is not started yet");
        set => _app = value;
    }

    public static Uri Proxy => Url("proxy");

    /// <summary>A second process of the same application. Both must answer alike.</summary>
    public static Uri Proxy2 => Url("proxy2");

    public static Uri Sandbox => Url("sandbox");

    /// <summary>The sandbox as a tenant's provider: by the only private address that the operator lets tenants reach.</summary>
    public static Uri TenantsSandbox => new($"http://127.0.0.1:{Sandbox.Port}");

    /// <summary>The sandbox's Stripe, on the port that the app host gives it.</summary>
    public static Uri Stripe => new($"http://127.0.0.1:{App.Ports + StripePort}");

    public static Uri Wallet => Url("wallet");

    public static Uri[] Proxies => [Proxy, Proxy2];

    public static IEnumerable<Uri> Services => [Wallet, Url("sessions"), Url("webhooks"), Url("billing"), Sandbox, Proxy, Proxy2];

    /// <summary>The header of a call that one of the gateway's services, or its operator, makes of another.</summary>
    public static (string Name, string Value) Signed(string caller, string audience, string? key = null) => (
        ServiceCall.Header,
        new ServiceCall(caller, audience).Sign(
            ServiceCall.SealOf([KeySetting.Read(key ?? App.InternalKey, KeySetting.InternalKey)], TimeProvider.System)));

    /// <summary>Seals and opens what the services leave for each other in Redis.</summary>
    public static TimedSeal Redis => new([KeySetting.Read(App.InternalKey, KeySetting.InternalKey)], "Redis", TimeProvider.System);

    public static string Connection(string name) => App.Connections[name];

    /// <summary>The current id of a process; null while it is down.</summary>
    public static int? ProcessId(string name) => App.ProcessId(name);

    public static Uri Url(string name) => App.Url(name);

    public static int FaultsPort => App.Ports + Faults;
}
