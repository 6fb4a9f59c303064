using System.Diagnostics;
using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev run</c>: everything, in the foreground until Ctrl-C, or detached.</summary>
static class Run
{
    static readonly TimeSpan DetachLimit = TimeSpan.FromMinutes(5);

    public static async Task<ExitCode> ExecuteAsync(Arguments arguments)
    {
        using var interrupt = new Interrupt();
        var seeds = Seeds(arguments.Value("--seed"));
        var ports = Ports(arguments);
        await Prerequisites.EnsureServersAsync(interrupt.Token);
        var options = new StackOptions(arguments.Folders, ports, seeds, Dashboard: !arguments.Has("--no-dashboard") && await Dashboard.FetchAsync());
        if (arguments.Has("--detach"))
            return await DetachAsync(options, arguments.Value("--seed"), interrupt.Token);

        Console.WriteLine("Starting PostgreSQL, Redis, RabbitMQ and the services…");
        await using var stack = await Stack.StartAsync(options, interrupt.Token);
        Console.WriteLine(Screen.Text(stack.State, detached: false));
        await interrupt.WaitAsync();
        Console.WriteLine("Stopping…");
        return ExitCode.Ok;
    }

    static string[] Seeds(string? given)
    {
        if (given is null)
            return DemoSeeds.Paths(Folders.Repository, Environment.GetEnvironmentVariable);
        return File.Exists(given) ? [Path.GetFullPath(given)] : throw new Failure(ExitCode.NotFound, $"there is no seed file {given}");
    }

    static PortBlock Ports(Arguments arguments) => new(arguments.Number("--ports", Topology.DefaultBase, PortBlock.MinBase, PortBlock.MaxBase));

    /// <summary>The same command again as a process of its own, whose output goes to a file; this one waits until all is healthy.</summary>
    static async Task<ExitCode> DetachAsync(StackOptions options, string? seed, CancellationToken token)
    {
        var folders = options.Folders;
        if (StackState.ReadRunning(folders) is not null)
            throw Stack.AlreadyRuns(folders);
        Directory.CreateDirectory(folders.Logs);
        var log = folders.Log("supervisor");
        string[] command =
        [
            Environment.ProcessPath!, Folders.Assembly("AppHost"), "run", "--ports", $"{options.Ports.Base}", "--data", folders.Data,
            .. seed is null ? Array.Empty<string>() : ["--seed", Path.GetFullPath(seed)],
            .. options.Dashboard ? Array.Empty<string>() : ["--no-dashboard"],
        ];
        using var supervisor = Process.Start("setsid", ["sh", "-c", "exec >\"$0\" 2>&1 </dev/null; exec \"$@\"", log, .. command]);
        Console.WriteLine("Starting PostgreSQL, Redis, RabbitMQ and the services…");
        for (var end = DateTime.UtcNow + DetachLimit; !supervisor.HasExited && DateTime.UtcNow < end && !token.IsCancellationRequested; await Task.Delay(100, CancellationToken.None))
        {
            if (StackState.ReadRunning(folders) is { Ready: true } state && state.Supervisor.Pid == supervisor.Id)
            {
                Console.WriteLine(Screen.Text(state, detached: true));
                return ExitCode.Ok;
            }
        }
        if (supervisor.HasExited)
            throw new Failure((ExitCode)supervisor.ExitCode, LogFile.LastLines(log, 1).FirstOrDefault()?.Replace("./dev: ", "", StringComparison.Ordinal) ?? $"the supervisor ended; see {log}");
        ProcessIdentity.Of(supervisor.Id).Send(Signal.Terminate);
        await supervisor.WaitForExitAsync(CancellationToken.None);
        token.ThrowIfCancellationRequested();
        throw new Failure(ExitCode.Unavailable, $"not healthy after {DetachLimit.TotalMinutes} minutes; see {log}");
    }
}
