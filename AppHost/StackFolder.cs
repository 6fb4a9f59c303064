using System.Globalization;

namespace LlmGateway.AppHost;

/// <summary>The data folder of one stack. Small files in it tell <c>./dev</c> how the stack is.</summary>
sealed class StackFolder(string path) : IDisposable
{
    /// <summary>The keys that Sessions made for seeds without one.</summary>
    public const string MadeKeys = "made-keys.json";

    /// <summary>The lock of the file <c>lock</c>. The system gives it back however this process ends.</summary>
    FileStream? _lock;

    public string Path => path;

    /// <summary>Whether the last app host did not end in order, so that its processes may live some seconds more.</summary>
    public bool WasCut { get; private set; }

    /// <summary>
    /// Which process this is: a number alone may be another process's after a restart of the machine. And the home below which Aspire's
    /// command line finds it.
    /// </summary>
    static string Identity()
    {
        var started = File.ReadAllText("/proc/self/stat").Split(") ")[^1].Split(' ')[19];
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId} {started} {home}");
    }

    public string Of(string name) => System.IO.Path.Combine(path, name);

    /// <summary>Makes a folder for us alone.</summary>
    public void CreatePrivate(params string[] names) => Directory.CreateDirectory(
        System.IO.Path.Combine([path, .. names]), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

    public void Take()
    {
        try
        {
            Directory.CreateDirectory(path);
            _lock = new FileStream(Of("lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(Of("lock")))
        {
            throw new DistributedApplicationException(
                $"a stack already runs on {path}; stop it with ./dev stop --data {path}, or give this one another --data and --ports");
        }
        File.Delete(Of("ready"));
        File.Delete(Of("failed"));
        WasCut = File.Exists(Of("apphost.pid"));
        File.WriteAllText(Of("apphost.pid"), Identity());
    }

    /// <summary>The screen has a key and the dashboard's token, so it is its owner's alone.</summary>
    public void TellReady(string screen) => Secrets.WritePrivate(Of("ready"), System.Text.Encoding.UTF8.GetBytes(screen));

    /// <summary>For shells: <c>source keys.env</c>.</summary>
    public void TellKeys(string variables) => Secrets.WritePrivate(Of("keys.env"), System.Text.Encoding.UTF8.GetBytes(variables));

    /// <summary>Does not throw: who gives up goes on to stop what runs, also where the disk is full or the folder is gone.</summary>
    public void TellFailed(string failure)
    {
        // A stack that was refused the folder must not speak for the one that has it.
        if (_lock is null)
            return;
        try
        {
            File.WriteAllText(Of("failed"), failure + "\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
        }
    }

    /// <summary>
    /// Only after an orderly end. What an app host leaves that was killed, or stopped while it started, tells the next start to wait for
    /// the processes that end after it.
    /// </summary>
    public void Leave()
    {
        if (_lock is null)
            return;
        File.Delete(Of("ready"));
        File.Delete(Of("apphost.pid"));
    }

    public void Dispose() => _lock?.Dispose();
}
