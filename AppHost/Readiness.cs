using System.Text.RegularExpressions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace LlmGateway.AppHost;

/// <summary>
/// All or nothing. When everything is healthy, the screen is printed, and kept in a file for <c>./dev</c>. When a resource ends instead, or
/// the start takes too long, the reason is told and the rest is stopped. After that nothing is started again by itself.
/// </summary>
sealed partial class Readiness(
    Stack stack, DistributedApplicationModel model, ResourceNotificationService notifications, ResourceLoggerService logs,
    IHostApplicationLifetime lifetime) : BackgroundService
{
    /// <summary>How our services, .NET and PostgreSQL mark what ends a process.</summary>
    static readonly string[] Critical = [" crit: ", "Unhandled exception.", "FATAL:", "PANIC:"];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
        end.CancelAfter(stack.StartLimit);
        var missing = model.Resources.Where(Stack.IsStarted).ToDictionary(resource => resource.Name, _ => "not started");
        try
        {
            await WaitAsync(missing, end.Token);
            ForgetWaits();
            var keys = SeededKeys.Read(stack.Seeds, stack.Folder.Of(StackFolder.MadeKeys));
            stack.Folder.TellKeys(keys.Variables);
            var screen = Screen.Text(stack, keys);
            stack.Folder.TellReady(screen);
            if (stack.Text("Screen") != "false")
                Console.WriteLine(screen);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop before everything ran.
        }
        catch (Exception e)
        {
            var waiting = string.Join("; ", missing.Select(resource => $"{resource.Key} ({resource.Value})"));
            stack.Tell(end.IsCancellationRequested ? $"not healthy after {stack.StartLimit.TotalSeconds} s: {waiting}" : e.Message);
            lifetime.StopApplication();
        }
    }

    /// <param name="missing">What is not healthy yet, and why.</param>
    async Task WaitAsync(Dictionary<string, string> missing, CancellationToken token)
    {
        await foreach (var change in notifications.WatchAsync(token))
        {
            var (name, snapshot) = (change.Resource.Name, change.Snapshot);
            var state = snapshot.State?.Text;
            if (state == KnownResourceStates.FailedToStart || KnownResourceStates.TerminalStates.Contains(state))
                throw new DistributedApplicationException($"{name} ended: {await LastWordAsync(change.ResourceId, token)}");
            if (state == KnownResourceStates.Running && snapshot.HealthStatus is HealthStatus.Healthy)
                missing.Remove(name);
            else if (missing.ContainsKey(name))
                missing[name] = snapshot.HealthReports.Select(report => report.Description).FirstOrDefault() ?? state ?? "unknown";
            if (missing.Count == 0)
                return;
        }
    }

    /// <summary>From here on a service can be started while what it needs is down: each waits for its servers by itself.</summary>
    void ForgetWaits()
    {
        foreach (var resource in model.Resources)
            foreach (var wait in resource.Annotations.OfType<WaitAnnotation>().ToList())
                resource.Annotations.Remove(wait);
    }

    /// <summary>Why a process most likely ended: the last thing that it called critical, or else the last that it said.</summary>
    async Task<string> LastWordAsync(string resource, CancellationToken token)
    {
        var lines = new List<string>();
        await foreach (var batch in logs.GetAllAsync(resource).WithCancellation(token))
            lines.AddRange(batch.Select(line => line.Content).Where(line => !string.IsNullOrWhiteSpace(line)));
        var word = lines.FindLast(line => Critical.Any(mark => line.Contains(mark, StringComparison.Ordinal)))
            ?? lines.LastOrDefault(line => !line.Contains("[sys]", StringComparison.Ordinal));
        // Time, level and category are the logger's affair.
        return word is null ? "it printed nothing" : LogPrefix().Replace(word.Trim(), "");
    }

    [GeneratedRegex(@"^\S+Z (\S+Z )?(crit: \S+\[\d+\] )?")]
    private static partial Regex LogPrefix();
}
