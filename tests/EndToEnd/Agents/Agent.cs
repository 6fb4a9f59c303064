using System.Diagnostics;

namespace LlmGateway.EndToEnd;

/// <summary>A program that works in a folder by asking a model what to do there.</summary>
/// <param name="First">What stands behind its line of the README to give it <c>$PROMPT</c> in a folder that it may change.</param>
/// <param name="Next">The same in a conversation that goes on.</param>
/// <param name="Read">The call by which it reads a file, as the sandbox is told of it: its name and arguments.</param>
/// <param name="Edit">The call that changes <c>beta</c> to <c>gamma</c> in that file.</param>
sealed record Agent(string First, string Next, Func<string, string> Read, Func<string, string> Edit);

/// <summary>A folder with a file, a home of its own, and the programs of <c>clients/agents/</c>.</summary>
sealed class Workplace : IDisposable
{
    static readonly string Packages = Path.Combine(Node.Folder, "agents");
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    readonly string _root = Directory.CreateTempSubdirectory("llmgateway-agent-").FullName;

    public Workplace()
    {
        Directory.CreateDirectory(Home);
        Directory.CreateDirectory(Folder);
        File.WriteAllText(Notes, "alpha\nbeta\n");
    }

    public string Folder => Path.Combine(_root, "work");
    public string Home => Path.Combine(_root, "home");
    public string Notes => Path.Combine(Folder, "notes.txt");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    /// <summary>Runs a line of a shell; returns what the program said on its output.</summary>
    public async Task<string> RunAsync(string line, string prompt)
    {
        Assert.True(
            Directory.Exists(Path.Combine(Packages, "node_modules")),
            $"The npm packages are missing: use './dev test', or run 'npm ci' in {Packages}.");
        var start = new ProcessStartInfo("bash", ["-c", line])
        {
            WorkingDirectory = Folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        // Nothing of who runs the tests: no keys, no settings, no proxies of theirs.
        var installed = Path.Combine(Packages, "node_modules");
        string[] programs = [Path.Combine(installed, ".bin"), Path.Combine(installed, "opencode-linux-x64-baseline", "bin")];
        var path = string.Join(':', [.. programs, Environment.GetEnvironmentVariable("PATH")]);
        start.Environment.Clear();
        foreach (var (name, value) in (IEnumerable<(string, string)>)
            [("PATH", path), ("HOME", Home), ("PROMPT", prompt), ("AGENTS", Packages)])
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
        try
        {
            await process.WaitForExitAsync(limit.Token);
            Assert.True(process.ExitCode == 0, $"{line} ended with {process.ExitCode}: {await errors}\n{await output}");
            return await output;
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{line} did not end within {Limit.TotalSeconds} s.");
        }
    }
}
