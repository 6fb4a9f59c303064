using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace LlmGateway.Harness;

/// <summary>
/// Starts a process again, by its resource's command, as soon as it is reported dead. Aspire itself does not: whoever runs the product has
/// something that does (systemd, Kubernetes), and tests that kill stand in for it.
/// </summary>
sealed class Supervisor : IDisposable
{
    /// <summary>A start that shows nothing for so long has failed.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(5), Pause = TimeSpan.FromMilliseconds(50);

    readonly DistributedApplication _app;
    readonly CancellationTokenSource _end = new();
    readonly ConcurrentDictionary<string, CustomResourceSnapshot> _states = new();
    readonly ConcurrentDictionary<string, bool> _held = new(), _starting = new();
    bool _starts;

    public Supervisor(DistributedApplication app)
    {
        _app = app;
        _ = WatchAsync();
    }

    /// <summary>From now on what dies is started again.</summary>
    public void Start() => Volatile.Write(ref _starts, true);

    public int? ProcessId(string name)
    {
        if (Snapshot(name) is not { } snapshot || snapshot.State?.Text != KnownResourceStates.Running)
            return null;
        return Pid(snapshot) is { } wrapper ? ProcessTree.Program(wrapper) : null;
    }

    public void Hold(string name) => _held[name] = true;

    public async Task ReleaseAsync(string name)
    {
        _held.TryRemove(name, out _);
        if (Snapshot(name) is { } snapshot && IsDead(snapshot))
            await StartAgainAsync(name);
    }

    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
    }

    CustomResourceSnapshot? Snapshot(string name) => _states.GetValueOrDefault(name);

    async Task WatchAsync()
    {
        try
        {
            await foreach (var change in _app.ResourceNotifications.WatchAsync(_end.Token))
            {
                var name = change.Resource.Name;
                _states[name] = change.Snapshot;
                var isOurs = change.Resource is ProjectResource or ExecutableResource
                    && !change.Resource.HasAnnotationOfType<ExplicitStartupAnnotation>();
                if (isOurs && IsDead(change.Snapshot) && Volatile.Read(ref _starts) && !_held.ContainsKey(name))
                    _ = StartAgainAsync(name);
            }
        }
        catch (OperationCanceledException)
        {
            // The app ends.
        }
    }

    async Task StartAgainAsync(string name)
    {
        if (!_starting.TryAdd(name, true))
            return;
        try
        {
            var commands = _app.Services.GetRequiredService<ResourceCommandService>();
            while (Snapshot(name) is { } snapshot && IsDead(snapshot))
            {
                await commands.ExecuteCommandAsync(name, KnownResourceCommands.StartCommand, _end.Token);
                // A second start would end the life that the first one has just begun, and what was ordered for it.
                for (var started = Stopwatch.GetTimestamp(); IsTheSame(snapshot) && Stopwatch.GetElapsedTime(started) < Patience;)
                    await Task.Delay(Pause, _end.Token);
            }

            bool IsTheSame(CustomResourceSnapshot death) => Snapshot(name) is { } now && IsDead(now) && Pid(now) == Pid(death);
        }
        catch (Exception) when (_end.IsCancellationRequested)
        {
            // The app ends.
        }
        finally
        {
            _starting.TryRemove(name, out _);
        }
    }

    static int? Pid(CustomResourceSnapshot snapshot) =>
        snapshot.Properties.FirstOrDefault(property => property.Name == "executable.pid")?.Value is { } pid
            ? Convert.ToInt32(pid, CultureInfo.InvariantCulture)
            : null;

    static bool IsDead(CustomResourceSnapshot snapshot) => KnownResourceStates.TerminalStates.Contains(snapshot.State?.Text);
}
