using System.Diagnostics;
using System.Text;

namespace LlmGateway.AppHost;

/// <summary>What happens before anything starts: one stack for each data folder, nothing left of the one before, free ports, data folders of servers.</summary>
static class Preparation
{
    static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10), Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Held while this process lives, however it ends.</summary>
    static FileStream? _lock;

    public static async Task RunAsync(Stack stack, CancellationToken token)
    {
        if (stack.Refusals is [var refusal, ..])
            throw new Failure(refusal);
        TakeFolder(stack);
        var wasKilled = File.Exists(stack.ProcessFile);
        await File.WriteAllTextAsync(stack.ProcessFile, $"{Environment.ProcessId}\n", token);
        if (wasKilled)
            await EndLeftoversAsync(stack, token);
        await Ports.RequireFreeAsync(stack.Taken, wasKilled, token);
        foreach (var prepare in stack.Preparations)
            await prepare(token);
    }

    static void TakeFolder(Stack stack)
    {
        try
        {
            stack.Folder();
            _lock = new FileStream(Path.Combine(stack.Data, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            Readiness.Forget(stack);
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException) && File.Exists(Path.Combine(stack.Data, "lock")))
        {
            throw new Failure($"a stack already runs on {stack.Data}; stop it with ./dev stop, or give this one another --data and --ports");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new Failure($"the data folder {stack.Data} cannot be used: {e.Message}");
        }
    }

    /// <summary>Ends what a killed app host and a killed orchestrator have left. Usually they end by themselves.</summary>
    static async Task EndLeftoversAsync(Stack stack, CancellationToken token)
    {
        var mark = Encoding.UTF8.GetBytes($"{Stack.Marker}={stack.Data}");
        var left = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => int.TryParse(name, out var pid) && pid != Environment.ProcessId)
            .Select(name => int.Parse(name!)).Where(pid => IsMarked(pid, mark)).ToList();
        foreach (var signal in (string[])["INT", "KILL"])
        {
            if (left.Count == 0)
                return;
            using var kill = Process.Start("kill", ["-" + signal, .. left.Select(pid => $"{pid}")]);
            await kill.WaitForExitAsync(token);
            for (var started = Stopwatch.GetTimestamp(); left.Exists(pid => IsMarked(pid, mark)) && Stopwatch.GetElapsedTime(started) < EndLimit;)
                await Task.Delay(Pause, token);
            left.RemoveAll(pid => !IsMarked(pid, mark));
        }
    }

    static bool IsMarked(int pid, byte[] mark)
    {
        try
        {
            var environment = File.ReadAllBytes($"/proc/{pid}/environ").AsSpan();
            var at = environment.IndexOf(mark);
            return at >= 0 && (at == 0 || environment[at - 1] == 0) && at + mark.Length < environment.Length && environment[at + mark.Length] == 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
