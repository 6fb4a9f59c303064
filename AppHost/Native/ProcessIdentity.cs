using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace LlmGateway.AppHost.Native;

enum Signal { Interrupt = 2, Kill = 9, Terminate = 15 }

/// <summary>A process id together with the process's start time in clock ticks after boot, because the system reuses ids.</summary>
readonly record struct ProcessIdentity(int Pid, long Started)
{
    /// <summary>State and start time are the third and 22nd field of /proc/PID/stat; the second is a name in parentheses, which may hold spaces.</summary>
    const int FieldsAfterName = 3, StartTimeField = 22;

    public static ProcessIdentity Of(int pid) => new(pid, StartTime(pid) ?? 0);

    [JsonIgnore]
    public bool IsAlive => StartTime(Pid) == Started;

    /// <summary>Does nothing when the process is gone.</summary>
    public void Send(Signal signal)
    {
        if (IsAlive)
            _ = Kill(Pid, (int)signal);
    }

    /// <summary>Ends the process and what it has started; each of ours leads a session and so a group of its own.</summary>
    public void KillGroup()
    {
        if (IsAlive)
            _ = Kill(-Pid, (int)Signal.Kill);
    }

    /// <returns>False when it still runs after <paramref name="limit"/>.</returns>
    public async Task<bool> GoneWithinAsync(TimeSpan limit)
    {
        for (var end = DateTime.UtcNow + limit; IsAlive; await Task.Delay(50))
            if (DateTime.UtcNow > end)
                return false;
        return true;
    }

    /// <summary>Null when the process is gone or only waits to be reaped.</summary>
    static long? StartTime(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[StartTimeField - FieldsAfterName], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    static extern int Kill(int pid, int signal);
}
