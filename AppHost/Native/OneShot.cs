using System.Diagnostics;

namespace LlmGateway.AppHost.Native;

/// <summary>A command that runs to its end.</summary>
static class OneShot
{
    /// <summary>The options of <c>setpriv</c> that drop root for a user, as PostgreSQL demands.</summary>
    public static string[] BecomeUser(string user) => [$"--reuid={user}", $"--regid={user}", "--clear-groups"];

    /// <summary>Runs quietly and collects what it prints; killed after <paramref name="limit"/>.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(
        string file, string[] arguments, TimeSpan limit, string? input = null, Dictionary<string, string>? environment = null)
    {
        var info = new ProcessStartInfo(file, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" };
        foreach (var (name, value) in environment ?? [])
            info.Environment[name] = value;
        using var process = Process.Start(info)!;
        using var timeout = new CancellationTokenSource(limit);
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        return await ExitCodeAsync(process, timeout.Token) is { } code ? (code, await output + await errors) : (-1, $"no answer within {limit.TotalSeconds} s");
    }

    /// <summary>Runs on the user's terminal, for commands that report progress or ask for a password.</summary>
    /// <returns>The exit code; null when it was cancelled and killed.</returns>
    public static async Task<int?> RunVisiblyAsync(string file, string[] arguments, CancellationToken token, Dictionary<string, string>? environment = null, string? folder = null)
    {
        var info = new ProcessStartInfo(file, arguments) { WorkingDirectory = folder ?? Folders.Repository };
        foreach (var (name, value) in environment ?? [])
            info.Environment[name] = value;
        using var process = Process.Start(info)!;
        return await ExitCodeAsync(process, token);
    }

    /// <summary>Whether a program can be found in the search path.</summary>
    public static bool Exists(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    static async Task<int?> ExitCodeAsync(Process process, CancellationToken token)
    {
        try
        {
            await process.WaitForExitAsync(token);
            return process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return null;
        }
    }
}
