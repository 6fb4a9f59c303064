using System.Diagnostics;

namespace LlmGateway.Faults;

/// <summary>
/// Ends and pauses the processes of the running app, and starts them in another environment. <see cref="LlmGateway.Harness.RunningApp"/>
/// starts again what died.
/// </summary>
static class Processes
{
    public static readonly string[]
        Proxies = ["proxy", "proxy2"],
        Gateway = ["wallet", "sessions", "webhooks", .. Proxies],
        Services = ["sandbox", .. Gateway],
        Servers = ["postgres", "redis", "rabbitmq"];

    static readonly TimeSpan Recovery = TimeSpan.FromSeconds(90);

    /// <summary>Restarts a service in a changed environment, which lasts until it dies.</summary>
    public static async Task RestartAsync(string name, string variable, string value)
    {
        Stack.App.Once(name, variable, value);
        await Outage.KillAsync(name);
    }

    /// <summary>The present length of a process's log in bytes.</summary>
    public static long LogEnd(string name) => new FileInfo(Log(name)).Length;

    /// <summary>The failpoint lines (<c>point: action</c>) in a process's log after position <paramref name="since"/>.</summary>
    public static HashSet<string> Passages(string name, long since)
    {
        const string saying = "failpoint ";
        using var log = new FileStream(Log(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        log.Position = Math.Min(since, log.Length);
        return [.. new StreamReader(log)
            .ReadToEnd()
            .Split('\n')
            .Where(line => line.StartsWith(saying, StringComparison.Ordinal))
            .Select(line => line[saying.Length..].TrimEnd())];
    }

    static string Log(string name) => Stack.App.Log(name);

    /// <summary>Sends SIGKILL and does not wait.</summary>
    public static async Task KillAsync(string name)
    {
        if (Stack.ProcessId(name) is not { } process)
            return;
        // PostgreSQL's workers lead groups of their own. A worker that stays alive would finish its statement.
        var children = name == "postgres" ? Children(process) : [];
        await Outage.TrySignalAsync("KILL", process);
        foreach (var child in children)
            await Outage.TrySignalAsync("KILL", child);
        if (name == "postgres")
            Books.ForgetConnections();
    }

    /// <summary>Sends SIGTERM, upon which a service finishes the calls that it has begun.</summary>
    public static Task TerminateAsync(string name) => Outage.TrySignalAsync("TERM", Stack.ProcessId(name)!.Value);

    public static Task<Reply?> HealthAsync(string name) => Outage.HealthAsync(Stack.Url(name));

    public static Task HealthyAsync() => Outage.WaitUntilAllIsHealthyAsync();

    public static long ResidentBytes(string name)
    {
        using var process = Process.GetProcessById(Stack.ProcessId(name)!.Value);
        return process.WorkingSet64;
    }

    /// <summary>Waits until another process than the dead one serves.</summary>
    public static Task BackAsync(string name, int dead) =>
        Eventually.HoldsAsync(
            async () => Stack.ProcessId(name) is { } now && now != dead && await HealthAsync(name) is { Status: 200 },
            $"the return of {name}",
            Recovery);

    static int[] Children(int process) =>
        [.. Directory.EnumerateDirectories("/proc")
            .Select(Path.GetFileName)
            .Select(folder => int.TryParse(folder, out var pid) ? pid : 0)
            .Where(pid => pid > 0 && Parent(pid) == process)];

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
