using System.Diagnostics;
using System.Globalization;

namespace LlmGateway.Edge;

/// <summary>
/// Work on the core of the load without end, as low in priority as the <see cref="Ledger"/>. The others are measured beside it where ours
/// is measured beside its ledger.
/// </summary>
sealed class Neighbour : IDisposable
{
    /// <summary>Its limit of CPU seconds, a multiple of a run's: it must not outlive a bench that is killed.</summary>
    const int MostSeconds = 120;

    readonly Process _process = Process.Start("taskset",
    [
        "-c", $"{Cores.OfTheRest}", "nice", "-n", Ledger.Nice.ToString(CultureInfo.InvariantCulture),
        "sh", "-c", $"ulimit -t {MostSeconds}; while :; do :; done",
    ]);

    public void Dispose()
    {
        _process.Kill();
        _process.Dispose();
    }
}
