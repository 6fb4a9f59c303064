using System.Collections.Concurrent;
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
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    readonly DistributedApplication _app;
    readonly CancellationTokenSource _end = new();
    readonly ConcurrentDictionary<string, CustomResourceSnapshot> _states = new();
    readonly ConcurrentDictionary<string, bool> _held = new(), _starting = new();
    readonly ConcurrentDictionary<string, int?> _followed = new();
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
                if (isOurs && IsDead(change.Snapshot) && Volatile.Read(ref _starts))
                    _ = StartAgainAsync(name);
            }
        }
        catch (OperationCanceledException)
        {
            // The app ends.
        }
    }

    /// <summary>
    /// One death is followed by one start, as often as it is reported. A second start would end the life that has just begun, and what was
    /// ordered for it.
    /// </summary>
    async Task StartAgainAsync(string name)
    {
        while (Snapshot(name) is { } death && IsToBeFollowed(name, death) && _starting.TryAdd(name, true))
        {
            try
            {
                var commands = _app.Services.GetRequiredService<ResourceCommandService>();
                await commands.ExecuteCommandAsync(name, KnownResourceCommands.StartCommand, _end.Token);
                await _app.ResourceNotifications
                    .WaitForResourceAsync(name, now => Pid(now.Snapshot) is > 0 and var pid && pid != Pid(death), _end.Token)
                    .WaitAsync(Patience, _end.Token);
                _followed[name] = Pid(death);
            }
            catch (TimeoutException)
            {
                // It is started again.
            }
            catch (Exception) when (_end.IsCancellationRequested)
            {
                return; // The app ends.
            }
            finally
            {
                _starting.TryRemove(name, out _);
            }
        }
    }

    bool IsToBeFollowed(string name, CustomResourceSnapshot death) =>
        IsDead(death) && !_held.ContainsKey(name)
        && !(Pid(death) is { } pid && _followed.TryGetValue(name, out var last) && pid == last);

    static int? Pid(CustomResourceSnapshot snapshot) =>
        snapshot.Properties.FirstOrDefault(property => property.Name == "executable.pid")?.Value is { } pid
            ? Convert.ToInt32(pid, CultureInfo.InvariantCulture)
            : null;

    static bool IsDead(CustomResourceSnapshot snapshot) => KnownResourceStates.TerminalStates.Contains(snapshot.State?.Text);
}
