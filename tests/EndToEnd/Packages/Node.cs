using System.Diagnostics;
using System.Reflection;
using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Runs the scripts of <c>clients/</c>, which call the gateway with published npm packages. Needs node 20 and npm.</summary>
static class Node
{
    public static readonly string Folder = typeof(Node).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(item => item.Key == "Clients").Value!;

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(180);

    /// <summary>What the scenario returns; fails with what the script said on its error output.</summary>
    public static Task<JsonElement> RunAsync(string script, string scenario, object input) =>
        RunAsync(script, scenario, JsonSerializer.Serialize(input));

    public static async Task<JsonElement> RunAsync(string script, params string[] arguments)
    {
        Assert.True(
            Directory.Exists(Path.Combine(Folder, "node_modules")),
            $"The npm packages are missing: use './dev test', or run 'npm ci' in {Folder}.");
        using var process = Process.Start(new ProcessStartInfo("node", [script, .. arguments])
        {
            WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{script} {arguments[0]} did not end within {Limit.TotalSeconds} s: {await errors}");
        }
        Assert.True(process.ExitCode == 0, $"{script} {arguments[0]} failed: {await errors}");
        return JsonSerializer.Deserialize<JsonElement>(await output);
    }
}
