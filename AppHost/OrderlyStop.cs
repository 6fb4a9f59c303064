using Microsoft.Extensions.Hosting;

namespace LlmGateway.AppHost;

/// <summary>
/// Stops services in waves, then servers, before the orchestrator ends everything at once: proxies hand in what they have metered while
/// those that take it still run. Nothing depends on it: what was not handed in stays in the spool.
/// </summary>
sealed class OrderlyStop(DistributedApplicationModel model, ResourceCommandService commands) : IHostedLifecycleService
{
    static readonly TimeSpan WaveLimit = TimeSpan.FromSeconds(20);

    readonly Lock _gate = new();
    Task? _waves;

    /// <summary>
    /// A host under test is stopped twice at once, by the test and by its own end. One order serves both: the first to be done ends the
    /// orchestrator, and orders of the second would wait for it in vain.
    /// </summary>
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
            return _waves ??= StopInWavesAsync(cancellationToken);
    }

    async Task StopInWavesAsync(CancellationToken cancellationToken)
    {
        foreach (var wave in model.Resources.Where(IsProcess).GroupBy(Depth).OrderByDescending(wave => wave.Key))
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(WaveLimit);
            // A resource that hangs is left to the orchestrator, which kills it.
            Task stopped = Task.WhenAll(wave.Select(resource => commands.ExecuteCommandAsync(resource, "stop", limit.Token)));
            await stopped.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    static bool IsProcess(IResource resource) =>
        resource is ProjectResource or ExecutableResource && !resource.HasAnnotationOfType<ExplicitStartupAnnotation>();

    /// <summary>How many processes lie below this one: 0 for a server, the most for a proxy.</summary>
    static int Depth(IResource resource) => resource.Annotations.OfType<ResourceRelationshipAnnotation>()
        .Where(relation => relation.Type == "Reference").Select(relation => 1 + Depth(relation.Resource)).DefaultIfEmpty().Max();
}
