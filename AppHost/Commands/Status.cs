using System.Text.Json;
using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev status</c>: the supervisor's state, with each process asked for its health now.</summary>
static class Status
{
    public static async Task<ExitCode> ExecuteAsync(Arguments arguments)
    {
        var state = StackState.RequireRunning(arguments.Folders);
        state = state with { Services = await Task.WhenAll(state.Services.Select(AskAsync)) };
        if (arguments.Has("--json"))
            Console.WriteLine(JsonSerializer.Serialize(state, StackState.Json));
        else
            Print(state);
        return state.Services.All(process => process.Health == Health.Healthy) ? ExitCode.Ok : ExitCode.Failed;
    }

    static async Task<ProcessState> AskAsync(ProcessState process)
    {
        if (process.Health is not (Health.Healthy or Health.Starting))
            return process;
        var probe = process.Kind switch
        {
            ProcessKind.Service => Probes.Http($"{process.Url}/health"),
            ProcessKind.Dashboard => Probes.Http(process.Url!),
            _ => Probes.Port(process.Port),
        };
        var works = await Probes.AnswersAsync(probe, CancellationToken.None);
        return process with { Health = works ? Health.Healthy : process.Health == Health.Starting ? Health.Starting : Health.Unhealthy };
    }

    static void Print(StackState state)
    {
        Console.WriteLine($"{"NAME",-12}{"HEALTH",-12}{"ADDRESS",-26}{"PID",-9}RESTARTS");
        foreach (var process in state.Services)
            Console.WriteLine($"{process.Name,-12}{process.Health.ToString().ToLowerInvariant(),-12}{process.Url ?? $"127.0.0.1:{process.Port}",-26}{process.Pid?.ToString() ?? "-",-9}{process.Restarts}");
        Console.WriteLine($"\ndata: {state.Data}");
    }
}
