using System.Diagnostics;

namespace LlmGateway.AppHost.Native;

/// <summary>
/// One running process: started until it is healthy, started again when it dies, stopped on request. Restarts wait 0.25 s, then twice as long
/// each time up to 8 s; a process that dies ten times in a row without becoming healthy is given up.
/// </summary>
sealed class Child(ProcessPlan plan, Folders folders, Launcher launcher, Action changed) : IDisposable
{
    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90), StopLimit = TimeSpan.FromSeconds(15), KillLimit = TimeSpan.FromSeconds(5);
    static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(250), MaxDelay = TimeSpan.FromSeconds(8), ProbeEvery = TimeSpan.FromMilliseconds(100);
    const int MaxDeaths = 10;

    readonly LogFile log = new(folders.Log(plan.Name));
    readonly CancellationTokenSource stopping = new();
    Process? process;
    ProcessIdentity? identity;
    Task supervision = Task.CompletedTask;
    Health health = Health.Starting;
    int restarts;

    public ProcessPlan Plan => plan;

    public ProcessState State => new(plan.Name, plan.Kind, plan.Url, plan.Port, identity?.Pid, identity?.Started, restarts, health);

    /// <summary>Returns when the process is healthy; it is supervised from then on. A process that ends or hangs at its first start is a failure, with its last words.</summary>
    public async Task StartAsync(CancellationToken token)
    {
        await LaunchAsync();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(StartLimit);
        if (!await HealthyAsync(limit.Token))
        {
            token.ThrowIfCancellationRequested();
            var what = process!.HasExited ? $"ended with code {process.ExitCode}" : $"is not healthy after {StartLimit.TotalSeconds} s";
            throw new Failure(ExitCode.Unavailable, $"{plan.Name} {what}: {log.LastWord() ?? "it printed nothing"} (log: {folders.Log(plan.Name)})");
        }
        supervision = SuperviseAsync();
    }

    public async Task StopAsync()
    {
        await stopping.CancelAsync();
        if (identity is { } running)
        {
            running.Send(plan.StopSignal);
            if (!await running.GoneWithinAsync(StopLimit))
            {
                running.KillGroup();
                await running.GoneWithinAsync(KillLimit);
            }
        }
        await supervision;
        Become(Health.Stopped, null);
    }

    public void Dispose()
    {
        process?.Dispose();
        log.Dispose();
        stopping.Dispose();
    }

    async Task SuperviseAsync()
    {
        try
        {
            for (var deaths = 0; deaths < MaxDeaths;)
            {
                await process!.WaitForExitAsync(stopping.Token);
                log.Note($"ended with code {process.ExitCode}");
                await WhileHeldAsync();
                Become(Health.Restarting, null);
                await Task.Delay(FirstDelay * Math.Min(1 << deaths, MaxDelay / FirstDelay), stopping.Token);
                restarts++;
                await LaunchAsync();
                deaths = await HealthyAsync(stopping.Token) ? 0 : deaths + 1;
            }
            Become(Health.Failed, null);
        }
        catch (OperationCanceledException)
        {
            // The stack stops.
        }
    }

    async Task WhileHeldAsync()
    {
        for (; File.Exists(Path.Combine(folders.Held, plan.Name)); await Task.Delay(ProbeEvery, stopping.Token))
            if (health != Health.Held)
                Become(Health.Held, null);
    }

    async Task LaunchAsync()
    {
        process?.Dispose();
        process = await launcher.StartAsync(plan with { Environment = OnceChanged(plan.Environment) });
        log.Follow(process);
        Become(Health.Starting, ProcessIdentity.Of(process.Id));
    }

    /// <summary>What a test wants different at one start: failpoints, or another way to a server. The start after that is an ordinary one.</summary>
    Dictionary<string, string> OnceChanged(Dictionary<string, string> environment)
    {
        var once = Path.Combine(folders.Once, plan.Name);
        if (!File.Exists(once))
            return environment;
        var changed = new Dictionary<string, string>(environment);
        foreach (var line in File.ReadAllLines(once))
            if (line.Split('=', 2) is [var name, var value])
                changed[name] = value;
        File.Delete(once);
        return changed;
    }

    /// <returns>False when the process ended or the token was cancelled first.</returns>
    async Task<bool> HealthyAsync(CancellationToken token)
    {
        while (!process!.HasExited && !token.IsCancellationRequested)
        {
            if (await Probes.AnswersAsync(plan.Probe, token))
            {
                Become(Health.Healthy, identity);
                return true;
            }
            await Task.WhenAny(Task.Delay(ProbeEvery, token));
        }
        return false;
    }

    void Become(Health next, ProcessIdentity? now)
    {
        (health, identity) = (next, now);
        changed();
    }
}
