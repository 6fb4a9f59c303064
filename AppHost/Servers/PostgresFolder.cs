namespace LlmGateway.AppHost;

/// <summary>
/// PostgreSQL's data. They are in the stack's data folder. When root runs the stack and the user <c>postgres</c> cannot enter that folder,
/// as in root's home, they are in <c>/var/lib/llmgateway-HASH</c>.
/// </summary>
sealed class PostgresFolder(Stack stack, string name, string user)
{
    public string Path { get; } = !Environment.IsPrivilegedProcess || IsOpen(stack.Folder.Path)
        ? System.IO.Path.Combine(stack.Folder.Path, name)
        // Earlier versions used /var/tmp, which some systems empty.
        : new[] { "/var/tmp", "/var/lib" }.Select(parent => $"{parent}/llmgateway-{stack.Id}").OrderByDescending(Directory.Exists).First();

    /// <summary>The major version that made the data, null when there are none.</summary>
    public string? Version =>
        System.IO.Path.Combine(Path, "PG_VERSION") is var file && File.Exists(file) ? File.ReadAllText(file).Trim() : null;

    /// <summary>Creates it for its user alone, and refuses one that is another's.</summary>
    public async Task PrepareAsync(CancellationToken token)
    {
        string[] owner = Environment.IsPrivilegedProcess ? ["-o", user, "-g", user] : [];
        if (!Directory.Exists(Path))
        {
            var (made, why) = await Machine.RunAsync(["install", "-d", "-m", "700", .. owner, Path], token);
            if (made != 0)
                throw new DistributedApplicationException($"{name} could not make its data folder: {why.Trim()}");
        }
        var (code, _) = await Machine.RunAsync(Machine.As(user, "test", "-O", Path), token);
        if (code != 0)
            throw new DistributedApplicationException(
                $"the data folder {Path} belongs to another user than {name} runs as; "
                + "give the stack another --data, or the folder to its user");
    }

    /// <summary>Whether every user can pass through the folder and those above it. Those that do not exist yet do not count.</summary>
    static bool IsOpen(string? folder)
    {
        for (; folder is not null; folder = System.IO.Path.GetDirectoryName(folder))
            if (Directory.Exists(folder) && (File.GetUnixFileMode(folder) & UnixFileMode.OtherExecute) == 0)
                return false;
        return true;
    }
}
