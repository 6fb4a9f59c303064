namespace LlmGateway.AppHost;

/// <summary>
/// Where a server keeps its data: in the stack's data folder, or in a folder of its own below /var/tmp where its user cannot enter that, as
/// in root's home.
/// </summary>
sealed class DataFolder(Stack stack, string name, string user)
{
    public string Path { get; } = !Environment.IsPrivilegedProcess || IsOpen(stack.Data)
        ? System.IO.Path.Combine(stack.Data, name)
        : $"/var/tmp/llmgateway-{stack.Id}";

    /// <summary>A small file's text without white space at its ends; null where there is none.</summary>
    public string? Read(string file) =>
        System.IO.Path.Combine(Path, file) is var path && File.Exists(path) ? File.ReadAllText(path).Trim() : null;

    /// <summary>Creates it for its user alone, and refuses one that is another's.</summary>
    public async Task PrepareAsync(CancellationToken token)
    {
        string[] owner = Environment.IsPrivilegedProcess ? ["-o", user, "-g", user] : [];
        if (!Directory.Exists(Path))
        {
            var (made, why) = await Machine.RunAsync(["install", "-d", "-m", "700", .. owner, Path], token);
            if (made != 0)
                throw new Failure($"{name} could not make its data folder: {why.Trim()}");
        }
        var (code, _) = await Machine.RunAsync(Machine.As(user, "test", "-O", Path), token);
        if (code != 0)
            throw new Failure($"the data folder {Path} belongs to another user than {name} runs as; "
                + "give the stack another --data, or the folder to its user");
    }

    /// <summary>Whether every user can pass through the folder and those above it, those that do not exist yet left aside.</summary>
    static bool IsOpen(string? folder)
    {
        for (; folder is not null; folder = System.IO.Path.GetDirectoryName(folder))
            if (Directory.Exists(folder) && (File.GetUnixFileMode(folder) & UnixFileMode.OtherExecute) == 0)
                return false;
        return true;
    }
}
