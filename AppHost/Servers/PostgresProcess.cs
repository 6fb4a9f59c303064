using System.Globalization;
using Npgsql;

namespace LlmGateway.AppHost;

/// <summary>A private PostgreSQL with the durability that money needs (its defaults). Services create their own databases in it.</summary>
sealed class PostgresProcess(string name, string program, ReferenceExpression server) : ServerProcess(name, program)
{
    /// <summary>The user whom Debian's package makes: PostgreSQL refuses to run as root.</summary>
    const string User = "postgres";

    /// <summary>Debian keeps several major versions beside each other, and none in the search path.</summary>
    const string Versions = "/usr/lib/postgresql";

    /// <summary>At the orchestrator's SIGTERM PostgreSQL waits for its clients; SIGINT ends them and keeps what is committed.</summary>
    const string FastStop = """trap 'kill -INT $server; wait $server; exit $?' TERM INT; "$@" & server=$!; wait $server""";

    public override ReferenceExpression ConnectionStringExpression => server;

    public static IResourceBuilder<PostgresProcess> Add(Stack stack, string name)
    {
        var port = stack.Port(name, Ports.Postgres);
        var password = stack.AddSecret($"{name}-password");
        var server = ReferenceExpression.Create($"Host=127.0.0.1;Port={Text(port)};Username={User};Password={password}");
        var folder = new DataFolder(stack, name, User);
        var version = folder.Read("PG_VERSION");
        var programs = Path.GetDirectoryName(Machine.Find(stack, "initdb", "postgresql", [.. Programs(version)]))!;
        stack.Preparations.Add(token =>
        {
            if (version is not null && !stack.Secrets.Has($"{name}-password"))
                throw new Failure($"{folder.Path} belongs to a stack whose secrets.json is gone: restore that file, or delete the folder");
            return PrepareAsync(programs, folder, stack.Secrets.Get($"{name}-password"), token);
        });
        string[] command = Machine.As(User, "sh", "-c", FastStop, name, Path.Combine(programs, "postgres"), "-D", folder.Path,
            "-p", Text(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200");
        return stack.AddServer(new PostgresProcess(name, command[0], server), command[1..], port, async token =>
        {
            var connection = new NpgsqlConnection($"{await server.GetValueAsync(token)};Database=postgres;Pooling=false");
            await using (connection)
                await connection.OpenAsync(token);
        });
    }

    /// <summary>The version that made the data, or else the newest.</summary>
    static IEnumerable<string> Programs(string? version) => Directory.Exists(Versions)
        ? Directory.GetDirectories(Versions).Select(Path.GetFileName).OrderByDescending(major => major == version)
            .ThenByDescending(major => int.TryParse(major, out var number) ? number : 0)
            .Select(major => Path.Combine(Versions, major!, "bin"))
        : [];

    /// <summary>Makes the data folder on the first start, with the generated password for the only user.</summary>
    static async Task PrepareAsync(string programs, DataFolder folder, string password, CancellationToken token)
    {
        await folder.PrepareAsync(token);
        if (folder.Read("PG_VERSION") is { } version)
        {
            var (_, program) = await Machine.RunAsync([Path.Combine(programs, "postgres"), "--version"], token);
            if (!program.Contains($" {version}.", StringComparison.Ordinal))
                throw new Failure($"the data in {folder.Path} are of PostgreSQL {version}, "
                    + $"this machine has {program.Trim()}: install postgresql-{version}");
            return;
        }
        // initdb wants the password in a file that its user can read, outside the folder that must be empty.
        const string script = """
            umask 077
            file=$(mktemp) && cat > "$file" && "$1" -D "$2" -U postgres --pwfile="$file" -A scram-sha-256 -E UTF8 --locale=C.UTF-8
            code=$?; rm -f "$file"; exit $code
            """;
        string[] initdb = Machine.As(User, "sh", "-c", script, "initdb", Path.Combine(programs, "initdb"), folder.Path);
        var (code, output) = await Machine.RunAsync(initdb, token, password);
        if (code != 0)
            throw new Failure($"PostgreSQL could not make its data folder {folder.Path}: {output.Trim().Split('\n')[^1]}");
    }

    static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);
}
