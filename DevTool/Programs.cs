using System.Diagnostics;

namespace LlmGateway.DevTool;

/// <summary>Other programs, as they are needed: seen by the user, or read by us.</summary>
static class Programs
{
    /// <summary>Whether a program is in the search path.</summary>
    public static bool Exists(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    /// <summary>With our own terminal; ended when the token is cancelled.</summary>
    public static async Task<int> ShowAsync(
        string program, IEnumerable<string> arguments, CancellationToken token,
        Dictionary<string, string>? environment = null, string? folder = null)
    {
        using var process = Process.Start(Info(program, arguments, environment, folder))!;
        await WaitAsync(process, token);
        return process.ExitCode;
    }

    /// <summary>Both of its outputs together.</summary>
    public static async Task<(int Code, string Output)> ReadAsync(
        string program, IEnumerable<string> arguments, CancellationToken token,
        Dictionary<string, string>? environment = null, string? folder = null)
    {
        var info = Info(program, arguments, environment, folder);
        (info.RedirectStandardInput, info.RedirectStandardOutput, info.RedirectStandardError) = (true, true, true);
        using var process = Process.Start(info)!;
        process.StandardInput.Close();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(token), process.StandardError.ReadToEndAsync(token));
        await WaitAsync(process, token);
        return (process.ExitCode, await output + await errors);
    }

    public static string LastLine(string output) => output.Trim().Split('\n')[^1].Trim();

    static async Task WaitAsync(Process process, CancellationToken token)
    {
        try
        {
            await process.WaitForExitAsync(token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    static ProcessStartInfo Info(string program, IEnumerable<string> arguments, Dictionary<string, string>? environment, string? folder)
    {
        var info = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder ?? "" };
        foreach (var (name, value) in environment ?? [])
            info.Environment[name] = value;
        return info;
    }
}
