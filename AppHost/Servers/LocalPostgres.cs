using Npgsql;

namespace LlmGateway.AppHost;

/// <summary>A private PostgreSQL with the durability that money needs (its defaults). Services create their own databases in it.</summary>
static class LocalPostgres
{
    /// <summary>The user whom Debian's package makes: PostgreSQL refuses to run as root.</summary>
    const string User = "postgres";

    /// <summary>Debian keeps several major versions beside each other, and none in the search path.</summary>
    const string Versions = "/usr/lib/postgresql";

    /// <summary>At the orchestrator's SIGTERM PostgreSQL waits for its clients; SIGINT ends them and keeps what is committed.</summary>
    const string FastStop = """trap 'kill -INT $server; wait $server; exit $?' TERM INT; "$@" & server=$!; wait $server""";

    public static IResourceBuilder<LocalServer> Add(Stack stack, string name)
    {
        var port = stack.Port(name, Ports.Postgres);
        var password = stack.AddSecret($"{name}-password");
        var folder = new PostgresFolder(stack, name, User);
        var programs = Path.GetDirectoryName(Machine.Find(stack, "initdb", "postgresql", [.. Programs(folder.Version)]))!;
        if (folder.Version is { } made && programs.StartsWith(Versions, StringComparison.Ordinal) && !programs.Contains($"/{made}/"))
            stack.Refusals.Add($"the data in {folder.Path} are of PostgreSQL {made}: install postgresql-{made}");
        stack.Prepare(token => PrepareAsync(stack, $"{name}-password", programs, folder, token));
        string[] command = Machine.As(User, "sh", "-c", FastStop, name, Path.Combine(programs, "postgres"), "-D", folder.Path,
            "-p", $"{port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=400");
        var server = ReferenceExpression.Create($"Host=127.0.0.1;Port={$"{port}"};Username={User};Password={password}");
        return LocalServer.Add(stack, name, port, server, command, async (connection, token) =>
        {
            await using var client = new NpgsqlConnection($"{connection};Database=postgres;Pooling=false");
            await client.OpenAsync(token);
        });
    }

    /// <summary>The version that made the data, or else the newest.</summary>
    static IEnumerable<string> Programs(string? version) => Directory.Exists(Versions)
        ? Directory.GetDirectories(Versions).Select(Path.GetFileName).OrderByDescending(major => major == version)
            .ThenByDescending(major => int.TryParse(major, out var number) ? number : 0)
            .Select(major => Path.Combine(Versions, major!, "bin"))
        : [];

    /// <summary>Makes the data folder on the first start, with the password for the only user.</summary>
    static async Task PrepareAsync(Stack stack, string password, string programs, PostgresFolder folder, CancellationToken token)
    {
        if (folder.Version is not null && !stack.Secrets.Has(password))
            throw new DistributedApplicationException(
                $"{stack.Folder.Of("secrets.json")} has no password for the data in {folder.Path}: restore that file");
        await folder.PrepareAsync(token);
        if (folder.Version is not null)
            return;
        // initdb wants the password in a file that its user can read, outside the folder that must be empty.
        const string script = """
            umask 077
            file=$(mktemp) && cat > "$file" && "$1" -D "$2" -U postgres --pwfile="$file" -A scram-sha-256 -E UTF8 --locale=C.UTF-8
            code=$?; rm -f "$file"; exit $code
            """;
        string[] initdb = Machine.As(User, "sh", "-c", script, "initdb", Path.Combine(programs, "initdb"), folder.Path);
        var (code, output) = await Machine.RunAsync(initdb, token, stack.Secrets.Get(password));
        // Below the reason it says what it undoes.
        var lines = output.Trim().Split('\n');
        if (code != 0)
            throw new DistributedApplicationException($"PostgreSQL could not make its data folder {folder.Path}: "
                + (Array.Find(lines, line => line.Contains("FATAL", StringComparison.Ordinal)) ?? lines[^1]));
    }
}
