using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LlmGateway.Edge;

/// <summary>
/// How fast the proxy's core is at the moment. Under a hypervisor, a neighbour on the other hyper-thread can take a third of a core's speed
/// for seconds, and no counter of this machine shows it. A short loop of additions shows it, because it keeps all of the core's adders
/// busy.
/// </summary>
static class CoreSpeed
{
    const int LoopMilliseconds = 20, RoundsBetweenLooks = 1000, Chains = 8;

    /// <summary>The fastest of this session.</summary>
    static double _best;

    /// <summary>As a part of the session's best.</summary>
    public static double OfBest(double speed) => speed / _best;

    /// <summary>Additions per microsecond.</summary>
    public static double Measure()
    {
        var speed = 0.0;
        var thread = new Thread(() =>
        {
            RunOnCore(Cores.UnderTest);
            speed = Additions();
        });
        thread.Start();
        thread.Join();
        _best = Math.Max(_best, speed);
        return speed;
    }

    /// <summary>At once in its final form: a loop that is compiled again while it runs measures the compiler.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Additions()
    {
        var (one, sum) = (Vector<long>.One, Vector<long>.Zero);
        var (a, b, c, d, e, f, g, h) = (sum, sum, sum, sum, sum, sum, sum, sum);
        var (rounds, start) = (0L, Stopwatch.GetTimestamp());
        TimeSpan elapsed;
        for (; (elapsed = Stopwatch.GetElapsedTime(start)).TotalMilliseconds < LoopMilliseconds; rounds += RoundsBetweenLooks)
            for (var i = 0; i < RoundsBetweenLooks; i++)
            {
                // None waits for another's result.
                a += one; b += one; c += one; d += one; e += one; f += one; g += one; h += one;
            }
        GC.KeepAlive((a + b + c + d + e + f + g + h)[0]);
        return Chains * rounds / elapsed.TotalMicroseconds;
    }

    static void RunOnCore(int core)
    {
        var mask = 1L << core;
        if (sched_setaffinity(0, sizeof(long), ref mask) != 0)
            throw new InvalidOperationException($"this process may not run on core {core}");
    }

    [DllImport("libc")]
    static extern int sched_setaffinity(int thread, nint size, ref long mask);
}
