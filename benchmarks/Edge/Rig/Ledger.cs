using System.Diagnostics;

namespace LlmGateway.Edge;

/// <summary>
/// What works behind our proxy on the core of the load: Wallet, PostgreSQL, RabbitMQ, with all that they have started. Its priority is low,
/// so that it works behind the load instead of beside it. It is not the lowest, because requests wait for leases. What it leaves undone it
/// does after the run, which says how long that took.
/// </summary>
sealed class Ledger(params IReadOnlyList<int> roots)
{
    /// <summary>About a tenth of the share of what has the usual priority.</summary>
    public const int Nice = 10;

    const int Attempts = 5;

    /// <summary>How often a user other than root may change a session's priority.</summary>
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(110);

    /// <summary>Again before each run: PostgreSQL starts a process per connection.</summary>
    public async Task YieldAsync()
    {
        var processes = Processes();
        var groups = processes.Select(process => $"{process.Group}").Distinct();
        using var renice = Process.Start(new ProcessStartInfo("renice", ["-n", $"{Nice}", "-g", .. groups])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        await Task.WhenAll(renice.StandardOutput.ReadToEndAsync(), renice.StandardError.ReadToEndAsync());
        await renice.WaitForExitAsync();
        foreach (var process in processes)
            await YieldSessionAsync($"/proc/{process.Id}/autogroup");
    }

    public TimeSpan Cpu() => Cores.Ticks(Processes().Sum(process => process.Ticks));

    /// <summary>
    /// Where the kernel shares a core between sessions before it looks at priorities (sched_autogroup), the session's own priority counts.
    /// PostgreSQL leads one per connection. All other processes of the stack share one, so that its idle proxies yield, too.
    /// </summary>
    static async Task YieldSessionAsync(string session)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            try
            {
                if (!File.Exists(session) || File.ReadAllText(session).TrimEnd().EndsWith($" {Nice}", StringComparison.Ordinal))
                    return;
                File.WriteAllText(session, $"{Nice}");
            }
            catch (IOException)
            {
                // Ended meanwhile, or asked too soon.
            }
            await Task.Delay(Between);
        }
    }

    List<Stat> Processes()
    {
        var names = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName);
        var all = names.Select(name => int.TryParse(name, out var id) ? Stat.Read(id) : null).OfType<Stat>().ToLookup(stat => stat.Parent);
        var found = roots.Select(Stat.Read).OfType<Stat>().ToList();
        for (var i = 0; i < found.Count; i++)
            found.AddRange(all[found[i].Id]);
        return found;
    }
}

/// <summary>What <c>/proc/ID/stat</c> says of a process.</summary>
/// <param name="Ticks">User and system time.</param>
sealed record Stat(int Id, int Parent, int Group, long PageFaults, long Ticks)
{
    /// <summary>Null when there is no such process.</summary>
    public static Stat? Read(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            // The second field is a name in parentheses, which may hold spaces.
            long[] fields = [.. text[(text.LastIndexOf(')') + 2)..].Split(' ').Skip(1).Take(12).Select(long.Parse)];
            return new(id, (int)fields[0], (int)fields[1], fields[6] + fields[8], fields[10] + fields[11]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
