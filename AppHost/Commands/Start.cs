using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev start NAME</c>: undoes <c>./dev stop NAME</c>; with <c>--once NAME=VALUE</c> the environment is another one until the process ends.</summary>
static class Start
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static Task<ExitCode> ExecuteAsync(Arguments arguments)
    {
        var name = StackState.RequireRunning(arguments.Folders).Require(arguments.Operand!).Name;
        if (arguments.Value("--once") is { } change)
        {
            Directory.CreateDirectory(arguments.Folders.Once);
            File.WriteAllText(Path.Combine(arguments.Folders.Once, name), change);
        }
        File.Delete(Path.Combine(arguments.Folders.Held, name));
        return UntilAsync(arguments.Folders, name, Health.Healthy);
    }

    /// <summary>Waits until the supervisor reports the wanted health.</summary>
    public static async Task<ExitCode> UntilAsync(Folders folders, string name, Health wanted)
    {
        for (var end = DateTime.UtcNow + Limit; DateTime.UtcNow < end; await Task.Delay(50))
        {
            if (StackState.RequireRunning(folders).Require(name).Health == wanted)
            {
                Console.WriteLine($"{name} is {wanted.ToString().ToLowerInvariant()}");
                return ExitCode.Ok;
            }
        }
        throw new Failure(ExitCode.Unavailable, $"{name} is not {wanted.ToString().ToLowerInvariant()} after {Limit.TotalSeconds} s; see {folders.Log(name)}");
    }
}
