using System.Diagnostics;

namespace LlmGateway.AppHost;

/// <summary>Programs and users of this machine.</summary>
static class Machine
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>The path of a program: in one of these folders, or in the search path.</summary>
    public static string Find(Stack stack, string program, string package, params string[] folders)
    {
        var searched = folders.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'));
        if (searched.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists) is { } path)
            return path;
        stack.Refuse($"{program} is missing on this machine: './dev run' installs it, or install {package} yourself");
        return program;
    }

    /// <summary>A command as another user, if we are root.</summary>
    public static string[] As(string user, params string[] command) =>
        Environment.IsPrivilegedProcess ? ["setpriv", $"--reuid={user}", $"--regid={user}", "--init-groups", "--", .. command] : command;

    /// <returns>The exit code, and both outputs.</returns>
    public static async Task<(int Code, string Output)> RunAsync(string[] command, CancellationToken token, string input = "")
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(token);
        end.CancelAfter(Limit);
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        })!;
        await process.StandardInput.WriteAsync(input.AsMemory(), end.Token);
        process.StandardInput.Close();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(end.Token), process.StandardError.ReadToEndAsync(end.Token));
        await process.WaitForExitAsync(end.Token);
        return (process.ExitCode, await output + await errors);
    }
}
