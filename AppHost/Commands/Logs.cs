using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev logs</c>: what processes printed, each line with its process's name; of a stack that is gone, too.</summary>
static class Logs
{
    public static async Task<ExitCode> ExecuteAsync(Arguments arguments)
    {
        var folders = arguments.Folders;
        var count = arguments.Number("--lines", 50, 1, 10_000);
        var names = Directory.Exists(folders.Logs) ? Directory.GetFiles(folders.Logs, "*.log").Select(path => Path.GetFileNameWithoutExtension(path)!).Order().ToArray() : [];
        if (names.Length == 0)
            throw new Failure(ExitCode.NotFound, $"there are no logs in {folders.Logs}");
        if (arguments.Operand is { } name)
            names = names.Contains(name) ? [name] : throw new Failure(ExitCode.NotFound, $"there is no log of '{name}'; there are {string.Join(", ", names)}");
        foreach (var each in names)
            foreach (var line in LogFile.LastLines(folders.Log(each), count))
                Print(each, line);
        if (arguments.Has("--follow"))
            await Task.WhenAll(names.Select(each => FollowAsync(each, folders.Log(each))));
        return ExitCode.Ok;
    }

    /// <summary>Until Ctrl-C. A file that becomes shorter was replaced by a new one.</summary>
    static async Task FollowAsync(string name, string path)
    {
        var position = new FileInfo(path).Length;
        for (var rest = ""; ; await Task.Delay(200))
        {
            var file = new FileInfo(path);
            if (!file.Exists || file.Length == position)
                continue;
            using var log = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            log.Position = file.Length < position ? 0 : position;
            var lines = (rest + await new StreamReader(log).ReadToEndAsync()).Split('\n');
            position = log.Position;
            rest = lines[^1];
            foreach (var line in lines[..^1])
                Print(name, line);
        }
    }

    static void Print(string name, string line) => Console.WriteLine($"{name,-10} | {line}");
}
