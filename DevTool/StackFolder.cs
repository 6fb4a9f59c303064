using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.DevTool;

/// <summary>
/// A stack by its data folder. The app host leaves three small files there: its process id, the screen when all is ready, why it failed.
/// </summary>
sealed class StackFolder(string? data)
{
    public static readonly string Repository = FindRepository();

    public static readonly string AppHost = Path.Combine(Repository, "AppHost", "AppHost.csproj");

    public static string DefaultData => Path.Combine(Repository, ".data");

    public string Data { get; } = Path.GetFullPath(data ?? DefaultData);

    public string? Ready => Read("ready");

    public string? Failed => Read("failed");

    public bool IsDefault => Data == DefaultData;

    /// <summary>For lines that the user can paste.</summary>
    public string Option => IsDefault ? "" : $" --data {Data}";

    /// <summary>The app host's process, null when none lives.</summary>
    public int? Process =>
        int.TryParse(Read("apphost.pid"), CultureInfo.InvariantCulture, out var pid) && Directory.Exists($"/proc/{pid}") ? pid : null;

    /// <summary>
    /// Aspire's command line knows running app hosts by their project, so it could not tell two stacks apart: it keeps them below the
    /// user's home, and a stack that is not the default one gets a home of its own for that. The name is short, because
    /// sockets' paths must be.
    /// </summary>
    public Dictionary<string, string> Environment => IsDefault ? [] : new()
    {
        ["HOME"] = Home(),
        // Tools and packages stay where they are.
        ["DOTNET_CLI_HOME"] = Given("DOTNET_CLI_HOME") ?? UserHome,
        ["NUGET_PACKAGES"] = Given("NUGET_PACKAGES") ?? Path.Combine(UserHome, ".nuget", "packages"),
    };

    static string UserHome => System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile);

    public void RequireRunning()
    {
        if (Process is null)
            throw new Failure(ExitCode.NotFound, $"nothing runs on {Data}; start it with ./dev run{Option}");
    }

    string? Read(string name) => Path.Combine(Data, name) is var path && File.Exists(path) ? File.ReadAllText(path).TrimEnd() : null;

    static string? Given(string variable) => System.Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    string Home()
    {
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{System.Environment.UserName} {Data}")))[..12];
        var home = Path.Combine(Path.GetTempPath(), $"llmgw-{name}");
        if (!Directory.Exists(home))
            Directory.CreateDirectory(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return home;
    }

    static string FindRepository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "LlmGateway.sln")))
                return folder;
        throw new Failure(ExitCode.Failed, "the repository is not above the built tool; use ./dev");
    }
}
