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

    public string Data { get; } = Path.GetFullPath(data ?? Given("Data") ?? DefaultData);

    public string? Ready => Read("ready");

    public string? Failed => Read("failed");

    public bool IsDefault => Data == DefaultData;

    /// <summary>For lines that the user can paste.</summary>
    public string Option => IsDefault ? "" : $" --data {Data}";

    /// <summary>Whether its app host lives. The number of a dead one may be another process's, its start cannot.</summary>
    public bool Runs => Read("apphost.pid")?.Split(' ', 3) is [var process, var start, _] && StartOf(process) == start;

    /// <summary>The app host's process, of a stack that runs.</summary>
    public string? Process => Read("apphost.pid")?.Split(' ')[0];

    /// <summary>
    /// Aspire's command line finds a running app host by its project, below the user's home. It could not tell two stacks apart. So a
    /// stack with another data folder gets a home of its own. Its name is short, because the path of a socket is limited. A stack that
    /// <c>dotnet run</c> has started has the user's.
    /// </summary>
    public Dictionary<string, string> Environment => new()
    {
        ["HOME"] = Runs && Read("apphost.pid")?.Split(' ', 3) is [_, _, var home] ? home : IsDefault ? UserHome : Home(),
        // Tools and packages stay where they are.
        ["DOTNET_CLI_HOME"] = Given("DOTNET_CLI_HOME") ?? UserHome,
        ["NUGET_PACKAGES"] = Given("NUGET_PACKAGES") ?? Path.Combine(UserHome, ".nuget", "packages"),
    };

    static string UserHome => System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile);

    /// <summary>
    /// Makes the folder, because without one the app host could not tell why it fails. What the last start told is gone: this one may end
    /// before it tells anything.
    /// </summary>
    public void Prepare()
    {
        try
        {
            Directory.CreateDirectory(Data);
            File.Delete(Path.Combine(Data, "failed"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new Failure(ExitCode.Failed, $"the data folder {Data} cannot be used: {e.Message}");
        }
    }

    /// <summary>Ends what was kept for Aspire's command line. A stack's temporary folder would leave it behind for ever.</summary>
    public void DeleteHome()
    {
        if (IsDefault || Runs)
            return;
        try
        {
            Directory.Delete(Home(), recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Aspire's command line still writes its log. The next stop on this data folder deletes it.
        }
    }

    public void RequireRunning()
    {
        if (!Runs)
            throw new Failure(ExitCode.NotFound, $"nothing runs on {Data}; start it with ./dev run{Option}");
    }

    string? Read(string name) => Text(Path.Combine(Data, name))?.TrimEnd();

    /// <summary>A file that goes away meanwhile is one that is not there.</summary>
    static string? Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return null;
        }
    }

    static string? Given(string variable) => System.Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    /// <summary>When a process began; null when there is none, or when it is dead and waits for its parent.</summary>
    static string? StartOf(string process) =>
        Text($"/proc/{process}/stat")?.Split(") ")[^1].Split(' ') is [not ("Z" or "X"), ..] and var fields ? fields[19] : null;

    string Home()
    {
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Data)))[..8];
        return Directory.CreateDirectory(Path.Combine(UserHome, ".llmgw", name)).FullName;
    }

    static string FindRepository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "LlmGateway.sln")))
                return folder;
        throw new Failure(ExitCode.Failed, "the repository is not above the built tool; use ./dev");
    }
}
