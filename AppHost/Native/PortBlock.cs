using System.Net;
using System.Net.Sockets;

namespace LlmGateway.AppHost.Native;

/// <summary>The ports of one stack: offsets from a base.</summary>
readonly record struct PortBlock(int Base)
{
    public int this[int offset] => Base + offset;

    public string Url(int offset) => $"http://127.0.0.1:{Base + offset}";

    /// <summary>Lower ports belong to the system.</summary>
    public const int MinBase = 1024, MaxBase = IPEndPoint.MaxPort - Topology.Ports.Last;

    /// <summary>Fails, before anything is started, when something else listens on a port that we need.</summary>
    public static void RequireFree(IEnumerable<ProcessPlan> plans)
    {
        foreach (var (name, port) in plans.SelectMany(plan => plan.OtherPorts.Prepend(plan.Port).Select(port => (plan.Name, port))))
        {
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
            }
            catch (SocketException)
            {
                throw new Failure(ExitCode.Unavailable, $"port {port} ({name}) is taken; choose other ports with --ports, or stop what listens there");
            }
        }
    }
}
