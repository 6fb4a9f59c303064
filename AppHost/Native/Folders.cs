namespace LlmGateway.AppHost.Native;

/// <summary>Where things are: the repository, the built services, and what a stack keeps in its data folder.</summary>
sealed class Folders(string data)
{
    /// <summary>The repository, found upwards from the built tool.</summary>
    public static readonly string Repository = FindRepository();

    public static string DefaultData => Path.Combine(Repository, ".data");

    public string Data { get; } = Path.GetFullPath(data);
    public string State => Path.Combine(Data, "state.json");
    public string Secrets => Path.Combine(Data, "secrets.json");
    public string Logs => Path.Combine(Data, "logs");

    /// <summary>A file of a process's name in here keeps that process stopped (<c>./dev stop redis</c>).</summary>
    public string Held => Path.Combine(Data, "held");

    /// <summary>A file of a process's name in here, with lines <c>NAME=VALUE</c>, changes its environment at its next start, and only then.</summary>
    public string Once => Path.Combine(Data, "once");

    public string Log(string name) => Path.Combine(Logs, name + ".log");

    /// <summary>Creates the folder of one process.</summary>
    public string Of(string name) => Directory.CreateDirectory(Path.Combine(Data, name)).FullName;

    /// <summary>The assembly of a project, built beside this one in the same configuration.</summary>
    public static string Assembly(string project)
    {
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var path = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", project, configuration, $"LlmGateway.{project}.dll"));
        return File.Exists(path) ? path : throw new Failure(ExitCode.Failed, $"{project} is not built: {path} is missing");
    }

    static string FindRepository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "LlmGateway.sln")))
                return folder;
        throw new Failure(ExitCode.Failed, "the repository is not above the built tool; use ./dev");
    }
}
