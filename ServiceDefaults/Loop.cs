using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// The loop of every background service. What a round throws is logged and counted, and the next round follows after a pause that doubles
/// from failure to failure (<see cref="Backoff"/>). An exception that left a background service would end the process; after its restart
/// the same row would end it again.
/// </summary>
public static class Loop
{
    static readonly Meter Metrics = new("LlmGateway.Loops");
    static readonly Counter<long> Failures = Metrics.CreateCounter<long>(
        "gateway.loop.failures", "{failure}", "Rounds of background loops that failed");

    /// <summary>Repeats until cancelled, and then throws <see cref="OperationCanceledException"/>.</summary>
    /// <param name="name">As in the log and in the counter.</param>
    /// <param name="round">Waits for its own work. A round that returns at once is followed by the next one at once.</param>
    public static async Task RunAsync(
        string name, Func<CancellationToken, Task> round, ILogger log, TimeProvider time, CancellationToken stopping)
    {
        for (var pause = Backoff.FirstPause; ;)
        {
            stopping.ThrowIfCancellationRequested();
            try
            {
                await round(stopping);
                pause = Backoff.FirstPause;
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                var outage = Problems.IsOutage(e);
                Failures.Add(1, new("loop", name), new("outage", outage));
                if (outage)
                    log.LogWarning("{Loop} waits: {Message}", name, e.Message);
                else
                    log.LogError(e, "{Loop} failed and goes on", name);
                await Task.Delay(pause, time, stopping);
                pause = Backoff.Next(pause);
            }
        }
    }

    /// <summary>The same with a round at every tick. Ticks that come while a round runs are one.</summary>
    public static async Task RunAsync(
        string name, TimeSpan every, Func<CancellationToken, Task> round, ILogger log, TimeProvider time, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(every, time);
        await RunAsync(name, async token =>
        {
            await timer.WaitForNextTickAsync(token);
            await round(token);
        }, log, time, stopping);
    }
}
