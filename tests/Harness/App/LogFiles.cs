using System.Collections.Concurrent;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace LlmGateway.Harness;

/// <summary>What each process prints, in a file of its own that grows through all its lives.</summary>
sealed class LogFiles : IDisposable
{
    readonly CancellationTokenSource _end = new();
    readonly string _folder;
    readonly ConcurrentDictionary<string, StreamWriter> _files = new();

    public LogFiles(DistributedApplication app, string folder)
    {
        _folder = Directory.CreateDirectory(folder).FullName;
        foreach (var resource in app.Services.GetRequiredService<DistributedApplicationModel>().Resources)
            if (resource is ProjectResource or ExecutableResource)
                _files[resource.Name] = new StreamWriter(Path(resource.Name)) { AutoFlush = true };
        _ = WatchAsync(app);
    }

    public string Path(string name) => System.IO.Path.Combine(_folder, $"{name}.log");

    public string LastLine(string name) => File.Exists(Path(name)) ? File.ReadLines(Path(name)).LastOrDefault() ?? "" : "";

    public void Dispose()
    {
        _end.Cancel();
        foreach (var file in _files.Values)
            file.Dispose();
        _end.Dispose();
    }

    /// <summary>A process's log is known by an id that the orchestrator gives it when it starts.</summary>
    async Task WatchAsync(DistributedApplication app)
    {
        var logs = app.Services.GetRequiredService<ResourceLoggerService>();
        var known = new HashSet<string>();
        try
        {
            await foreach (var change in app.ResourceNotifications.WatchAsync(_end.Token))
                if (_files.TryGetValue(change.Resource.Name, out var file) && known.Add(change.ResourceId))
                    _ = CopyAsync(logs, change.ResourceId, file);
        }
        catch (OperationCanceledException)
        {
            // The app ends.
        }
    }

    async Task CopyAsync(ResourceLoggerService logs, string id, StreamWriter file)
    {
        try
        {
            await foreach (var lines in logs.WatchAsync(id).WithCancellation(_end.Token))
                lock (file)
                    foreach (var line in lines)
                        file.WriteLine(WithoutTime(line.Content));
        }
        catch (Exception) when (_end.IsCancellationRequested)
        {
            // The app ends.
        }
    }

    /// <summary>The orchestrator writes its own time before each line.</summary>
    static string WithoutTime(string line) =>
        line.IndexOf(' ', StringComparison.Ordinal) is > 0 and var space && DateTimeOffset.TryParse(line.AsSpan(0, space), out _)
            ? line[(space + 1)..]
            : line;
}
