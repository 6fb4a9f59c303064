using System.ComponentModel;
using System.Diagnostics;

namespace LlmGateway.AppHost;

/// <summary>Programs and users of this machine.</summary>
static class Machine
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60), EngineLimit = TimeSpan.FromSeconds(5);

    /// <summary>The path of a program: in one of these folders, or in the search path.</summary>
    public static string Find(Stack stack, string program, string package, params string[] folders)
    {
        var searched = folders.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'));
        if (searched.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists) is { } path)
            return path;
        stack.Refusals.Add($"{program} is missing on this machine: './dev run' installs it, or install {package} yourself");
        return program;
    }

    /// <summary>Whether Docker or Podman answers. An engine that is installed and not running does not.</summary>
    public static async Task<bool> HasContainerEngineAsync()
    {
        foreach (var client in (string[])["docker", "podman"])
            if ((await RunAsync([client, "version"], CancellationToken.None, limit: EngineLimit)).Code == 0)
                return true;
        return false;
    }

    /// <summary>A command as another user, if we are root.</summary>
    public static string[] As(string user, params string[] command) =>
        Environment.IsPrivilegedProcess ? ["setpriv", $"--reuid={user}", $"--regid={user}", "--init-groups", "--", .. command] : command;

    /// <returns>The exit code, and both outputs. A program that is missing or does not end in time has the code -1.</returns>
    public static async Task<(int Code, string Output)> RunAsync(
        string[] command, CancellationToken token, string input = "", TimeSpan? limit = null)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(token);
        end.CancelAfter(limit ?? Limit);
        var info = new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = "/" };
        (info.RedirectStandardInput, info.RedirectStandardOutput, info.RedirectStandardError) = (true, true, true);
        using var process = new Process { StartInfo = info };
        try
        {
            process.Start();
            await process.StandardInput.WriteAsync(input.AsMemory(), end.Token);
            process.StandardInput.Close();
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(end.Token), process.StandardError.ReadToEndAsync(end.Token));
            await process.WaitForExitAsync(end.Token);
            return (process.ExitCode, await output + await errors);
        }
        catch (Win32Exception e)
        {
            return (-1, e.Message);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            token.ThrowIfCancellationRequested();
            return (-1, $"{command[0]} did not end in time");
        }
    }
}
