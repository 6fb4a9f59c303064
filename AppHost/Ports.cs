using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;

namespace LlmGateway.AppHost;

/// <summary>Offsets from the base port of a stack (<c>--ports</c>). Stacks side by side have bases at least 100 apart.</summary>
static class Ports
{
    public const int DefaultBase = 4000;

    public const int
        Proxy = 1, Proxy2 = 2, Sessions = 11, Wallet = 12, Webhooks = 13, Billing = 14, Sandbox = 20, SandboxStripe = 21,
        SandboxMail = 22;
    public const int Dashboard = 30, Otlp = 31, ResourceService = 32;
    public const int Postgres = 40, Redis = 41, RabbitMq = 42, ErlangDistribution = 43, Epmd = 44;

    /// <summary>How long the ports of a killed stack may stay taken: the orchestrator and the dashboard end seconds after it.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10), Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>Fails with the first port that somebody else listens on.</summary>
    /// <param name="wait">Whether what listens may belong to a stack that is ending.</param>
    public static async Task RequireFreeAsync(IReadOnlyCollection<(string Name, int Port)> wanted, bool wait, CancellationToken token)
    {
        for (var started = Stopwatch.GetTimestamp(); ; await Task.Delay(Pause, token))
        {
            var listeners = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners();
            var taken = listeners.Where(Disturbs).Select(listener => listener.Port).ToHashSet();
            if (wanted.FirstOrDefault(want => taken.Contains(want.Port)) is not { Name: { } name, Port: var port })
                return;
            if (!wait || Stopwatch.GetElapsedTime(started) > Patience)
                throw new DistributedApplicationException(
                    $"port {port} ({name}) is taken; end what listens there, or choose others with --ports BASE");
        }
    }

    static bool Disturbs(IPEndPoint listener) =>
        IPAddress.IsLoopback(listener.Address) || listener.Address.Equals(IPAddress.Any) || listener.Address.Equals(IPAddress.IPv6Any);
}
