using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmGateway.AppHost;

/// <summary>
/// Stops services in waves before the orchestrator ends everything at once: proxies hand in what they have metered while those that take it still
/// run. Nothing depends on it: what was not handed in stays in the spool.
/// </summary>
sealed class OrderlyStop(Stack stack, DistributedApplicationModel model, ResourceCommandService commands, ILogger<OrderlyStop> log) : IHostedLifecycleService
{
    static readonly TimeSpan WaveLimit = TimeSpan.FromSeconds(20);

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        foreach (var wave in Waves(model.Resources))
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(WaveLimit);
            try
            {
                await Task.WhenAll(wave.Select(service => commands.ExecuteCommandAsync(service, KnownResourceCommands.StopCommand, limit.Token)));
            }
            catch (OperationCanceledException)
            {
                log.LogWarning("{Services} did not stop within {Limit} s", string.Join(", ", wave.Select(service => service.Name)), WaveLimit.TotalSeconds);
            }
        }
    }

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        File.Delete(stack.ReadyFile);
        File.Delete(stack.ProcessFile);
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Services by how many others stand on them, those that nobody calls first.</summary>
    public static IEnumerable<IReadOnlyList<ProjectResource>> Waves(IEnumerable<IResource> resources)
    {
        var services = resources.OfType<ProjectResource>().ToList();
        return services.GroupBy(Depth).OrderByDescending(wave => wave.Key).Select(wave => wave.ToList());

        int Depth(ProjectResource service) => Called(service).Select(other => 1 + Depth(other)).DefaultIfEmpty().Max();

        IEnumerable<ProjectResource> Called(ProjectResource service) => service.Annotations.OfType<ResourceRelationshipAnnotation>()
            .Where(relation => relation.Type == "Reference").Select(relation => relation.Resource).OfType<ProjectResource>();
    }
}
