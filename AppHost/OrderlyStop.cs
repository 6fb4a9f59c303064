using Microsoft.Extensions.Hosting;

namespace LlmGateway.AppHost;

/// <summary>
/// Stops services in waves, then servers, before the orchestrator ends everything at once. So proxies hand in what they have metered while
/// those that take it still run. Nothing depends on it: what was not handed in stays in the spool.
/// </summary>
sealed class OrderlyStop(DistributedApplicationModel model, ResourceCommandService commands) : IHostedService
{
    static readonly TimeSpan WaveLimit = TimeSpan.FromSeconds(20);

    /// <summary>
    /// A host under test is stopped twice at once, by the test and by its own end. One order serves both: the first to be done ends the
    /// orchestrator, and orders of the second would wait for it in vain.
    /// </summary>
    readonly Lazy<Task> _waves = new(() => StopInWavesAsync(model, commands));

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => _waves.Value;

    static async Task StopInWavesAsync(DistributedApplicationModel model, ResourceCommandService commands)
    {
        foreach (var wave in model.Resources.Where(Stack.IsStarted).GroupBy(Depth).OrderByDescending(wave => wave.Key))
        {
            using var limit = new CancellationTokenSource(WaveLimit);
            // A resource that hangs is left to the orchestrator, which kills it.
            Task stopped = Task.WhenAll(wave.Select(resource => commands.ExecuteCommandAsync(resource, "stop", limit.Token)));
            await stopped.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>How many processes lie below this one: 0 for a server, the most for a proxy.</summary>
    static int Depth(IResource resource) => resource.Annotations.OfType<ResourceRelationshipAnnotation>()
        .Where(relation => relation.Type == "Reference").Select(relation => 1 + Depth(relation.Resource)).DefaultIfEmpty().Max();
}
