using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.AppHost.Native;

/// <summary>A private PostgreSQL with the durability that money needs (its defaults); the services create their own databases in it.</summary>
static class Postgres
{
    /// <summary>The user whom Debian's package makes; PostgreSQL refuses to run as root.</summary>
    const string User = "postgres";

    static readonly TimeSpan InitLimit = TimeSpan.FromSeconds(60);

    /// <summary>Debian keeps several major versions beside each other and none in the search path.</summary>
    public static string? Programs() =>
        Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(folder => int.TryParse(Path.GetFileName(folder), out var major) ? major : 0)
                .Select(folder => Path.Combine(folder, "bin")).FirstOrDefault(folder => File.Exists(Path.Combine(folder, "postgres")))
            : null;

    public static string Connection(PortBlock ports, Secrets secrets, string database) =>
        $"Host=127.0.0.1;Port={ports[Topology.Ports.Postgres]};Username={User};Password={secrets.PostgresPassword};Database={database}";

    /// <summary>Makes the data folder on the first start, with the generated password for the only user.</summary>
    public static async Task<ProcessPlan> PrepareAsync(Folders folders, PortBlock ports, Secrets secrets)
    {
        var programs = Programs()!;
        var port = ports[Topology.Ports.Postgres];
        var folder = await FolderAsync(folders);
        if (folder != OwnFolder(folders))
            Console.WriteLine($"PostgreSQL keeps its data in {folder}, because its user '{User}' cannot enter {folders.Data}.");
        if (!await ExistsAsync(Path.Combine(folder, "PG_VERSION")))
            await InitializeAsync(programs, folder, secrets);
        return new("postgres", ProcessKind.Server, port)
        {
            File = Path.Combine(programs, "postgres"),
            Arguments = ["-D", folder, "-p", $"{port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"],
            User = User,
            // "Fast": ends connections, but completes what is committed; SIGTERM would wait for clients to leave.
            StopSignal = Signal.Interrupt,
            StopWave = Stack.ServerWave,
            Probe = Probes.Postgres(Path.Combine(programs, "pg_isready"), port),
        };
    }

    /// <summary>Removes the data, also where it lies outside the data folder.</summary>
    public static void Delete(Folders folders)
    {
        if (Directory.Exists(OutsideFolder(folders)))
            Directory.Delete(OutsideFolder(folders), recursive: true);
    }

    static string OwnFolder(Folders folders) => Path.Combine(folders.Data, "postgres");

    static string OutsideFolder(Folders folders) =>
        "/var/tmp/llmgateway-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(folders.Data)))[..16];

    static async Task<string> FolderAsync(Folders folders)
    {
        if (!Environment.IsPrivilegedProcess)
            return OwnFolder(folders);
        var canEnter = await AsUserAsync(["test", "-x", folders.Data]);
        return canEnter.ExitCode == 0 ? OwnFolder(folders) : OutsideFolder(folders);
    }

    static async Task<bool> ExistsAsync(string file) => (await AsUserAsync(["test", "-e", file])).ExitCode == 0;

    static async Task InitializeAsync(string programs, string folder, Secrets secrets)
    {
        string[] owner = Environment.IsPrivilegedProcess ? ["-o", User, "-g", User] : [];
        await OneShot.RunAsync("install", ["-d", "-m", "700", .. owner, folder], InitLimit);
        // initdb wants the password in a file that its user can read, outside the folder that must be empty.
        const string script = """
            umask 077; file=$(mktemp) && cat > "$file" && "$1" -D "$2" -U postgres --pwfile="$file" -A scram-sha-256 -E UTF8 --locale=C.UTF-8
            code=$?; rm -f "$file"; exit $code
            """;
        var (code, output) = await AsUserAsync(["sh", "-c", script, "initdb", Path.Combine(programs, "initdb"), folder], secrets.PostgresPassword);
        if (code != 0)
            throw new Failure(ExitCode.Unavailable, $"PostgreSQL could not make its data folder {folder}: {output.Trim().Split('\n').Last()}");
    }

    static Task<(int ExitCode, string Output)> AsUserAsync(string[] command, string? input = null) =>
        Environment.IsPrivilegedProcess
            ? OneShot.RunAsync("setpriv", [.. OneShot.BecomeUser(User), "--", .. command], InitLimit, input)
            : OneShot.RunAsync(command[0], command[1..], InitLimit, input);
}
