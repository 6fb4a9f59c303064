using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace LlmGateway.AppHost;

/// <summary>
/// All or nothing: when everything is healthy the screen is printed and kept in a file for <c>./dev</c>; when something ends instead, or
/// takes too long, its last words are told, and the rest is stopped. After that nothing is started again by itself.
/// </summary>
sealed class Readiness(
    Stack stack, DistributedApplicationModel model, ResourceNotificationService notifications, ResourceLoggerService logs,
    IHostApplicationLifetime lifetime) : BackgroundService
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        end.CancelAfter(Limit);
        var missing = model.Resources.Where(IsStarted).Select(resource => resource.Name).ToHashSet();
        try
        {
            await foreach (var change in notifications.WatchAsync(end.Token))
            {
                var state = change.Snapshot.State?.Text;
                if (state == KnownResourceStates.FailedToStart || KnownResourceStates.TerminalStates.Contains(state))
                    throw new Failure($"{change.Resource.Name} ended: {await LastWordAsync(change.ResourceId, stoppingToken)}");
                if (state == KnownResourceStates.Running && change.Snapshot.HealthStatus is HealthStatus.Healthy)
                    missing.Remove(change.Resource.Name);
                if (missing.Count == 0)
                    break;
            }
            ForgetWaits();
            var screen = Screen.Text(stack);
            Console.WriteLine(screen);
            await File.WriteAllTextAsync(stack.ReadyFile, screen, stoppingToken);
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            GiveUp($"not healthy after {Limit.TotalSeconds} s: {string.Join(", ", missing)}");
        }
        catch (OperationCanceledException)
        {
            // Told to stop before everything ran.
        }
        catch (Failure failure)
        {
            GiveUp(failure.Message);
        }
    }

    static bool IsStarted(IResource resource) =>
        resource is (ProjectResource or ExecutableResource or ContainerResource)
        && !resource.HasAnnotationOfType<ExplicitStartupAnnotation>();

    /// <summary>From here on a service can be started while what it needs is down: each waits for its servers by itself.</summary>
    void ForgetWaits()
    {
        foreach (var resource in model.Resources)
            foreach (var wait in resource.Annotations.OfType<WaitAnnotation>().ToList())
                resource.Annotations.Remove(wait);
    }

    void GiveUp(string failure)
    {
        stack.Tell(failure);
        lifetime.StopApplication();
    }

    /// <summary>Why a process most likely ended: the last thing that it called critical, or else the last that it said.</summary>
    async Task<string> LastWordAsync(string resource, CancellationToken token)
    {
        var lines = new List<string>();
        await foreach (var batch in logs.GetAllAsync(resource).WithCancellation(token))
            lines.AddRange(batch.Select(line => line.Content).Where(line => !string.IsNullOrWhiteSpace(line)));
        var word = lines.FindLast(line =>
            line.Contains(" crit: ", StringComparison.Ordinal) || line.Contains("Unhandled exception.", StringComparison.Ordinal))
            ?? lines.LastOrDefault(line => !line.Contains("[sys]", StringComparison.Ordinal));
        return word?.Trim() ?? "it printed nothing";
    }
}
