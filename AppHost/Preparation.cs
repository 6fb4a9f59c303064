namespace LlmGateway.AppHost;

/// <summary>What happens before anything starts: one stack for each data folder, free ports, the servers' own data folders.</summary>
static class Preparation
{
    /// <summary>Held while this process lives, however it ends.</summary>
    static FileStream? _lock;

    public static async Task RunAsync(Stack stack, CancellationToken token)
    {
        TakeFolder(stack);
        var wasKilled = File.Exists(stack.ProcessFile);
        await File.WriteAllTextAsync(stack.ProcessFile, $"{Environment.ProcessId}\n", token);
        if (stack.Refusals is [var refusal, ..])
            throw new Failure(refusal);
        await Ports.RequireFreeAsync(stack.Taken, wasKilled, token);
        foreach (var prepare in stack.Preparations)
            await prepare(token);
    }

    static void TakeFolder(Stack stack)
    {
        var path = Path.Combine(stack.Folder(), "lock");
        try
        {
            _lock = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            File.Delete(stack.ReadyFile);
            File.Delete(stack.FailedFile);
        }
        catch (IOException) when (File.Exists(path))
        {
            throw new Failure(
                $"a stack already runs on {stack.Data}; stop it with ./dev stop, or give this one another --data and --ports");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new Failure($"the data folder {stack.Data} cannot be used: {e.Message}");
        }
    }

    /// <summary>Undone by an orderly end alone: what is left of a killed stack tells the next start about it.</summary>
    public static void LeaveFolder(Stack stack)
    {
        if (_lock is null)
            return;
        File.Delete(stack.ReadyFile);
        File.Delete(stack.ProcessFile);
        _lock.Dispose();
    }
}
