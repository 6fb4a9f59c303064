namespace LlmGateway.DevTool;

/// <summary>What a stack, its tests and its benchmarks need on this machine; installed and built when it is missing.</summary>
static class Installation
{
    sealed record Requirement(string Package, string Purpose, Func<bool> IsThere);

    static readonly EnumerationOptions TwoFoldersDown = new() { RecurseSubdirectories = true, MaxRecursionDepth = 2 };

    static readonly Requirement[] Servers =
    [
        new("postgresql", "the ledger and all other durable data", () => Directory.Exists("/usr/lib/postgresql")
            && Directory.EnumerateFiles("/usr/lib/postgresql", "initdb", TwoFoldersDown).Any()),
        new("redis-server", "hot credentials and rate limits", () => Programs.Exists("redis-server")),
        new("rabbitmq-server", "usage and events between services", () =>
            File.Exists("/usr/lib/rabbitmq/bin/rabbitmq-server") && Programs.Exists("epmd")),
    ];

    static readonly Requirement[] Clients =
    [
        new("npm", "the JavaScript clients of the end-to-end tests", () => Programs.Exists("npm")),
        // Ubuntu has no such package; there it is one of the others, see tests/EndToEnd/clients/elements/browser.mjs.
        new("chromium", "the pages of the end-to-end tests", () =>
            new[] { "chromium", "chromium-browser", "google-chrome" }.Any(Programs.Exists)),
    ];

    static readonly Requirement[] Load = [new("wrk", "the load of ./dev bench", () => Programs.Exists("wrk"))];

    static readonly Requirement[] Counters = [new("linux-perf", "system calls and wake-ups in ./dev bench", () => Programs.Exists("perf"))];

    static readonly string[] Connections = ["walletdb", "sessionsdb", "webhooksdb", "billingdb", "redis", "rabbitmq"];

    const string AppHost = "AppHost/AppHost.csproj", Everything = "LlmGateway.sln";

    /// <summary>As long as the app host waits for an engine.</summary>
    static readonly TimeSpan EngineLimit = TimeSpan.FromSeconds(5);

    static string Artifacts => Path.Combine(StackFolder.Repository, "artifacts");

    /// <summary>For a stack alone: servers, Aspire's command line, the app host and the services, side by side.</summary>
    public static Task PrepareAsync(CancellationToken token) =>
        Task.WhenAll(EnsureServersAsync(token), RestoreToolsAsync(token), BuildAsync(AppHost, token));

    /// <summary>For tests and benchmarks: servers as processes of this machine, and everything built.</summary>
    public static Task PrepareAllAsync(CancellationToken token) =>
        Task.WhenAll(EnsureAsync(Servers, token), RestoreToolsAsync(token), BuildAsync(Everything, token));

    public static Task EnsureClientsAsync(CancellationToken token) => EnsureAsync(Clients, token);

    public static Task EnsureLoadAsync(CancellationToken token) => EnsureAsync(Load, token);

    /// <summary>Only root may count the kernel's events. Where they cannot be counted, the bench says so beside its figures.</summary>
    public static async Task TryCountersAsync(CancellationToken token)
    {
        if (!Environment.IsPrivilegedProcess)
            return;
        try
        {
            await EnsureAsync(Counters, token);
        }
        catch (Failure failure)
        {
            Console.WriteLine($"{failure.Message}; the bench goes on without");
        }
    }

    /// <summary>npm writes a file last that is older than the lock file when packages have changed since.</summary>
    public static async Task<bool> InstallPackagesAsync(string folder, CancellationToken token, params string[] options) =>
        File.GetLastWriteTimeUtc(Path.Combine(folder, "node_modules", ".package-lock.json"))
            >= File.GetLastWriteTimeUtc(Path.Combine(folder, "package-lock.json"))
        || await Programs.ShowAsync("npm", ["ci", "--no-audit", "--no-fund", .. options], token, folder: folder) == 0;

    /// <summary>A stack whose servers are containers, or others', needs no programs here; see AppHost/Servers/Servers.cs.</summary>
    static async Task EnsureServersAsync(CancellationToken token)
    {
        var form = Environment.GetEnvironmentVariable("Servers");
        var given = Connections.All(name => Environment.GetEnvironmentVariable($"ConnectionStrings__{name}") is { Length: > 0 });
        if (form != "containers" && !given && (form is { Length: > 0 } || !await AnswersAsync("docker") && !await AnswersAsync("podman")))
            await EnsureAsync(Servers, token);

        async Task<bool> AnswersAsync(string engine)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
            limit.CancelAfter(EngineLimit);
            try
            {
                return Programs.Exists(engine) && (await Programs.ReadAsync(engine, ["version"], limit.Token)).Code == 0;
            }
            catch (OperationCanceledException) when (!token.IsCancellationRequested)
            {
                return false;
            }
        }
    }

    static async Task RestoreToolsAsync(CancellationToken token)
    {
        var (code, output) = await Programs.ReadAsync("dotnet", ["tool", "restore"], token, folder: StackFolder.Repository);
        if (code != 0)
            throw new Failure(ExitCode.Unavailable, $"Aspire's command line could not be restored: {Programs.LastLine(output)}");
    }

    /// <summary>
    /// A build that has nothing to do takes seconds; looking at the files' times takes none. A deleted file shows in its folder's time.
    /// </summary>
    static async Task BuildAsync(string project, CancellationToken token)
    {
        var built = Stamp(project);
        var started = DateTime.UtcNow;
        if (new[] { built, Stamp(Everything) }.Any(stamp => File.Exists(stamp) && !ChangedSince(File.GetLastWriteTimeUtc(stamp))))
            return;
        Console.WriteLine("Building…");
        var (code, output) = await Programs.ReadAsync(
            "dotnet", ["build", project, "-c", "Release", "-v", "q"], token, folder: StackFolder.Repository);
        if (code != 0)
        {
            foreach (var line in output.Split('\n').Where(line => line.Contains(": error ", StringComparison.Ordinal)).Distinct())
                Console.Error.WriteLine(line);
            throw new Failure(ExitCode.Failed, $"the build failed: {Programs.LastLine(output)}");
        }
        Console.WriteLine($"Built in {(DateTime.UtcNow - started).TotalSeconds:F0} s.");
        Directory.CreateDirectory(Artifacts);
        await File.WriteAllTextAsync(built, "", token);
        File.SetLastWriteTimeUtc(built, started);
    }

    static string Stamp(string project) => Path.Combine(Artifacts, $"built-{Path.GetFileNameWithoutExtension(project)}");

    static bool ChangedSince(DateTime time)
    {
        var folders = new Stack<string>([StackFolder.Repository]);
        while (folders.TryPop(out var folder))
        {
            // The first run makes its data folder in the repository's own.
            if (folder != StackFolder.Repository && Directory.GetLastWriteTimeUtc(folder) > time)
                return true;
            foreach (var file in Directory.EnumerateFiles(folder))
                if (Path.GetExtension(file) is ".cs" or ".csproj" or ".props" or ".sln" or ".json" or ".sql" or ".lua"
                    && File.GetLastWriteTimeUtc(file) > time)
                    return true;
            foreach (var child in Directory.EnumerateDirectories(folder))
                if (Path.GetFileName(child) is not ("artifacts" or "node_modules") and not ['.', ..])
                    folders.Push(child);
        }
        return false;
    }

    static async Task EnsureAsync(Requirement[] programs, CancellationToken token)
    {
        var missing = programs.Where(program => !program.IsThere()).ToList();
        if (missing.Count == 0)
            return;
        var packages = missing.Select(program => program.Package).ToArray();
        if (!Programs.Exists("apt-get"))
            throw new Failure(
                ExitCode.Unavailable,
                $"missing: {string.Join(", ", packages)}; this machine has no apt-get, so install them yourself and try again");
        var purposes = missing.Select(program => $"{program.Package} ({program.Purpose})");
        Console.WriteLine($"Installing with apt-get: {string.Join("; ", purposes)}");
        await AptGetAsync(["update", "-qq"], token);
        await AptGetAsync(["install", "-qq", "-y", "--no-install-recommends", .. packages], token);
        if (missing.Find(program => !program.IsThere()) is { } still)
            throw new Failure(
                ExitCode.Unavailable, $"{still.Package} was installed, but its programs are not where Debian and Ubuntu put them");
    }

    /// <summary>
    /// Silent unless it fails; sudo asks for a password on the terminal itself. It is not interrupted: a package half installed
    /// helps nobody.
    /// </summary>
    static async Task AptGetAsync(string[] arguments, CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        string[] asRoot = Environment.IsPrivilegedProcess ? [] : ["sudo"];
        string[] command = [.. asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", .. arguments];
        if (!Programs.Exists(command[0]))
            throw new Failure(
                ExitCode.Unavailable,
                $"only root can install packages and there is no sudo; run this as root: apt-get {string.Join(' ', arguments)}");
        var (code, output) = await Programs.ReadAsync(command[0], command[1..], CancellationToken.None);
        if (code != 0)
            throw new Failure(ExitCode.Unavailable, $"apt-get {arguments[0]} failed: {Programs.LastLine(output)}");
    }
}
