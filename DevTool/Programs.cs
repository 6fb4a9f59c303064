using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

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

    /// <summary>What it prints for programs, which other lines must not get into.</summary>
    public static async Task<JsonNode?> JsonAsync(
        string program, IEnumerable<string> arguments, Dictionary<string, string>? environment, string folder, CancellationToken token)
    {
        var (code, output, _) = await ReadBothAsync(program, arguments, environment, folder, token);
        try
        {
            // A first start of .NET's command line says hello first.
            return code == 0 && output.IndexOfAny(['{', '[']) is >= 0 and var start ? JsonNode.Parse(output[start..]) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Both of its outputs together.</summary>
    public static async Task<(int Code, string Output)> ReadAsync(
        string program, IEnumerable<string> arguments, CancellationToken token,
        Dictionary<string, string>? environment = null, string? folder = null)
    {
        var (code, output, errors) = await ReadBothAsync(program, arguments, environment, folder, token);
        return (code, output + errors);
    }

    static async Task<(int Code, string Output, string Errors)> ReadBothAsync(
        string program, IEnumerable<string> arguments, Dictionary<string, string>? environment, string? folder, CancellationToken token)
    {
        var info = Info(program, arguments, environment, folder);
        (info.RedirectStandardInput, info.RedirectStandardOutput, info.RedirectStandardError) = (true, true, true);
        using var process = Process.Start(info)!;
        process.StandardInput.Close();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(token), process.StandardError.ReadToEndAsync(token));
        await WaitAsync(process, token);
        return (process.ExitCode, await output, await errors);
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
