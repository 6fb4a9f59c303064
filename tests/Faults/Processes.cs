using System.Diagnostics;

namespace LlmGateway.Faults;

/// <summary>The processes of the running stack: ended, paused, and started in another environment. The stack's own supervisor starts what has died again.</summary>
static class Processes
{
    public static readonly string[] Proxies = ["proxy", "proxy2"], Gateway = ["wallet", "sessions", .. Proxies], Services = ["sandbox", .. Gateway], Servers = ["postgres", "redis", "rabbitmq"];

    static readonly TimeSpan Recovery = TimeSpan.FromSeconds(90);

    /// <summary>Changes a process's environment at its next start only.</summary>
    public static void Once(string name, string variable, string value)
    {
        var orders = Directory.CreateDirectory(Path.Combine(Stack.Data, "once")).FullName;
        // Written beside, then moved: the supervisor must not read half of it.
        var draft = Path.Combine(Stack.Data, $"once-{name}");
        File.WriteAllText(draft, $"{variable}={value}");
        File.Move(draft, Path.Combine(orders, name), overwrite: true);
    }

    public static void ForgetOrders()
    {
        foreach (var name in Services)
            File.Delete(Path.Combine(Directory.CreateDirectory(Path.Combine(Stack.Data, "once")).FullName, name));
    }

    /// <summary>Whether the process has been started with what <see cref="Once"/> ordered.</summary>
    public static bool IsOrdered(string name) => File.Exists(Path.Combine(Stack.Data, "once", name));

    /// <summary>Starts a service anew in a changed environment; that lasts until it dies.</summary>
    public static async Task RestartAsync(string name, string variable, string value)
    {
        Once(name, variable, value);
        await Outage.KillAsync(name);
    }

    /// <summary>How long a process's log is now.</summary>
    public static long LogEnd(string name) => new FileInfo(Log(name)).Length;

    /// <summary>What a process has said, since its log was so long, that it does at failpoints: <c>point: action</c>.</summary>
    public static HashSet<string> Passages(string name, long since)
    {
        const string saying = "failpoint ";
        using var log = new FileStream(Log(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        log.Position = Math.Min(since, log.Length);
        return [.. new StreamReader(log).ReadToEnd().Split('\n').Where(line => line.StartsWith(saying, StringComparison.Ordinal)).Select(line => line[saying.Length..].TrimEnd())];
    }

    static string Log(string name) => Path.Combine(Stack.Data, "logs", $"{name}.log");

    /// <summary>Ends a process as if the power had failed, and does not wait.</summary>
    public static async Task KillAsync(string name)
    {
        if (Stack.ProcessId(name) is not { } process)
            return;
        // PostgreSQL's workers lead groups of their own; left alive they would finish what they do.
        var children = name == "postgres" ? Children(process) : [];
        await Outage.TrySignalAsync("KILL", process);
        foreach (var child in children)
            await Outage.TrySignalAsync("KILL", child);
        if (name == "postgres")
            Books.ForgetConnections();
    }

    /// <summary>Asks a service to end: it finishes what it has begun.</summary>
    public static Task TerminateAsync(string name) => Outage.TrySignalAsync("TERM", Stack.ProcessId(name)!.Value);

    public static Task<Reply?> HealthAsync(string name) => Outage.HealthAsync(Stack.Url(name));

    public static Task HealthyAsync() => Outage.WaitUntilAllIsHealthyAsync();

    /// <summary>Bytes of memory that a process occupies now.</summary>
    public static long ResidentBytes(string name)
    {
        using var process = Process.GetProcessById(Stack.ProcessId(name)!.Value);
        return process.WorkingSet64;
    }

    /// <summary>Serving again, as another process than the one that is dead.</summary>
    public static Task BackAsync(string name, int dead) =>
        Eventually.HoldsAsync(async () => Stack.ProcessId(name) is { } now && now != dead && await HealthAsync(name) is { Status: 200 }, $"the return of {name}", Recovery);

    static int[] Children(int process) =>
        [.. Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Select(folder => int.TryParse(folder, out var pid) ? pid : 0).Where(pid => pid > 0 && Parent(pid) == process)];

    static int Parent(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
