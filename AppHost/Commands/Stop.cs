using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev stop</c>: the whole stack in order, or one process, which then stays down until <c>./dev start</c>.</summary>
static class Stop
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public static async Task<ExitCode> ExecuteAsync(Arguments arguments)
    {
        var folders = arguments.Folders;
        if (arguments.Operand is { } name)
            return await HoldAsync(folders, name);
        if (StackState.ReadRunning(folders) is not { } state)
        {
            Console.WriteLine($"nothing runs on {folders.Data}");
            return ExitCode.Ok;
        }
        state.Supervisor.Send(Signal.Terminate);
        if (!await state.Supervisor.GoneWithinAsync(Limit))
            throw new Failure(ExitCode.Failed, $"the stack still stops after {Limit.TotalSeconds} s; see ./dev status");
        Console.WriteLine("stopped");
        return ExitCode.Ok;
    }

    static async Task<ExitCode> HoldAsync(Folders folders, string name)
    {
        var process = StackState.RequireRunning(folders).Require(name);
        Directory.CreateDirectory(folders.Held);
        await File.WriteAllTextAsync(Path.Combine(folders.Held, name), "");
        process.Identity?.Send(name == "postgres" ? Signal.Interrupt : Signal.Terminate);
        return await Start.UntilAsync(folders, name, Health.Held);
    }
}
