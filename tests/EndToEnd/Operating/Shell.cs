using System.Diagnostics;

namespace LlmGateway.EndToEnd;

/// <summary>Runs a program as a person at a terminal does.</summary>
static class Shell
{
    /// <summary>Output is what the program wrote to its standard output, followed by its standard error.</summary>
    public static async Task<(int Code, string Output)> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var token = TestContext.Current.CancellationToken;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(token), process.StandardError.ReadToEndAsync(token));
        await process.WaitForExitAsync(token).WaitAsync(TimeSpan.FromMinutes(3), token);
        return (process.ExitCode, await output + await errors);
    }
}
