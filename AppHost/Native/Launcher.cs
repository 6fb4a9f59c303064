using System.Collections.Concurrent;
using System.Diagnostics;

namespace LlmGateway.AppHost.Native;

/// <summary>
/// Starts every process from one thread that lives as long as the tool: the kernel sends a parent-death signal when the <em>thread</em> that
/// forked ends, and pool threads end whenever they are idle.
/// </summary>
sealed class Launcher : IDisposable
{
    readonly BlockingCollection<Action> starts = [];

    public Launcher() => new Thread(() =>
    {
        foreach (var start in starts.GetConsumingEnumerable())
            start();
    })
    { IsBackground = true, Name = "launcher" }.Start();

    /// <summary>
    /// The process leads a session of its own, so that a terminal's Ctrl-C reaches only us and the stop is orderly, and it gets its stop
    /// signal when we die, however we die.
    /// </summary>
    public Task<Process> StartAsync(ProcessPlan plan)
    {
        var info = new ProcessStartInfo("setsid")
        {
            WorkingDirectory = plan.WorkingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        info.ArgumentList.Add("setpriv");
        info.ArgumentList.Add(plan.StopSignal == Signal.Interrupt ? "--pdeathsig=INT" : "--pdeathsig=TERM");
        if (plan.User is { } user && Environment.IsPrivilegedProcess)
            foreach (var option in OneShot.BecomeUser(user))
                info.ArgumentList.Add(option);
        info.ArgumentList.Add("--");
        info.ArgumentList.Add(plan.File);
        foreach (var argument in plan.Arguments)
            info.ArgumentList.Add(argument);

        foreach (var name in info.Environment.Keys.Except(ProcessPlan.Inherited).ToList())
            info.Environment.Remove(name);
        foreach (var (name, value) in plan.Environment)
            info.Environment[name] = value;

        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        starts.Add(() =>
        {
            try
            {
                var process = Process.Start(info)!;
                process.StandardInput.Close();
                started.SetResult(process);
            }
            catch (Exception e)
            {
                started.SetException(e);
            }
        });
        return started.Task;
    }

    public void Dispose() => starts.CompleteAdding();
}
