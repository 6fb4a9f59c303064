using System.Globalization;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Ledgers;

/// <summary>User and system time of a PostgreSQL on this machine: the server, its children, and the children that have ended.</summary>
sealed class PostgresTime
{
    /// <summary>Linux counts CPU time in hundredths of a second for everyone to see, whatever its own clock (USER_HZ).</summary>
    static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    // Fields of /proc/PID/stat after the name, which may contain spaces: see proc(5), where they are numbered from 3.
    const int Parent = 4 - 3, User = 14 - 3, System = 15 - 3, EndedUser = 16 - 3, EndedSystem = 17 - 3;

    readonly long _server;

    PostgresTime(long server) => _server = server;

    public static async Task<PostgresTime> OfAsync(NpgsqlDataSource database)
    {
        await using var backend = database.Sql("select pg_backend_pid()");
        return new(Stat((int)(await backend.ExecuteScalarAsync())!)![Parent]);
    }

    public TimeSpan Read()
    {
        var ticks = 0L;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var id) || Stat(id) is not { } stat)
                continue;
            if (id == _server)
                ticks += stat[User] + stat[System] + stat[EndedUser] + stat[EndedSystem];
            else if (stat[Parent] == _server)
                ticks += stat[User] + stat[System];
        }
        return ticks * Tick;
    }

    /// <summary>Null when the process has ended.</summary>
    static long[]? Stat(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return [.. fields.Select(field => long.TryParse(field, CultureInfo.InvariantCulture, out var number) ? number : 0)];
        }
        catch (IOException)
        {
            return null;
        }
    }
}
