using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Finished requests on disk until the broker has confirmed them. Each has a record, appended before the last byte of its answer is
/// released. The files are mapped, so a record survives the death of this process as soon as it is written. The next start reads what a
/// dead process left; repetitions do no harm. Each process has its own folder. Requests that were running when a process died stand in
/// <see cref="CrashJournal"/>, and are appended here first.
/// </summary>
public sealed class Spool : IDisposable
{
    /// <summary>The folder of this process's spool.</summary>
    public const string Setting = "Proxy:Spool";

    /// <summary>
    /// Size of a file. A full file is followed by another one, so that confirmed files can be deleted. The unused rest of a file is zeros.
    /// </summary>
    const int FileBytes = 4 * 1024 * 1024;

    readonly Lock _lock = new();
    readonly string _folder;
    readonly FileStream _owner;
    readonly Queue<SpoolFile> _files;
    readonly WakeSignal _appended = new();
    SpoolFile _current;
    long _sequence;

    public Spool(string folder, ILogger<Spool> log)
    {
        _folder = Directory.CreateDirectory(folder).FullName;
        try
        {
            _owner = new FileStream(Path.Combine(_folder, "owner"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new InvalidOperationException($"the spool folder '{_folder}' belongs to another running proxy", e);
        }
        GoneHolders = ReadOwners();
        WriteOwners([.. GoneHolders, Holder]);

        var left = Directory.GetFiles(_folder, "*.spool").Order(StringComparer.Ordinal).ToArray();
        _sequence = left.Length == 0 ? 0 : long.Parse(Path.GetFileNameWithoutExtension(left[^1]), CultureInfo.InvariantCulture);
        _files = new(left.Select(path => new SpoolFile(path)));
        RecordsLeft = left.Sum(path => new SpoolFile(path).Take(int.MaxValue).Count);
        _current = Begin();
        Journal = new(_folder);
        foreach (var record in Journal.Left)
            Append(record);
        if (Journal.Left.Count > 0)
            log.LogWarning(
                "{Count} requests were running when this proxy's predecessor died; they are settled with their last checkpoints",
                Journal.Left.Count);
        Failpoint.Hit("proxy.journal.recovered");
        Journal.ForgetLeft();
        RecordsLeft += Journal.Left.Count;
        Wake();
    }

    /// <summary>The name of this process in the ledger. A restarted proxy is another holder.</summary>
    public string Holder { get; } = $"{Environment.MachineName}:{Environment.ProcessId}:{Ids.New():N}";

    /// <summary>
    /// Processes that had this folder before and did not end in order. What their leases hold can go back once their records are delivered.
    /// </summary>
    public IReadOnlyList<string> GoneHolders { get; private set; }

    /// <summary>Number of records from before this process.</summary>
    public long RecordsLeft { get; }

    public CrashJournal Journal { get; }

    /// <summary>Throws <see cref="IOException"/> when the disk is full or gone.</summary>
    public void Append(ReadOnlySpan<byte> record)
    {
        lock (_lock)
        {
            if (!_current.HasRoomFor(record.Length))
                _current = Begin();
            Failpoint.Hit("proxy.spool.append");
            _current.Append(record);
        }
        Failpoint.Hit("proxy.spool.appended");
    }

    /// <summary>Waits until something may have been appended.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken token) => _appended.WaitAsync(token);

    /// <summary>Ends a wait in <see cref="WaitAsync"/>.</summary>
    public void Wake() => _appended.Raise();

    /// <summary>The oldest file that is not fully delivered, and whether more will be appended to it.</summary>
    public (SpoolFile File, bool Growing) Oldest()
    {
        lock (_lock)
            return (_files.Peek(), _files.Count == 1);
    }

    /// <summary>Bytes of all records that are not delivered. A file that an earlier process left counts whole until it is read.</summary>
    public long UnconfirmedBytes
    {
        get
        {
            lock (_lock)
                return _files.Sum(file => file.UnconfirmedBytes);
        }
    }

    /// <summary>Deletes the oldest file. All its records are confirmed, and nothing more will be appended.</summary>
    public void Delete(SpoolFile file)
    {
        lock (_lock)
        {
            if (_files.Peek() != file || _files.Count == 1)
                throw new InvalidOperationException($"'{file.Path}' is not the oldest finished spool file");
            _files.Dequeue();
        }
        Failpoint.Hit("proxy.spool.delete");
        file.Dispose();
        File.Delete(file.Path);
        Failpoint.Hit("proxy.spool.deleted");
    }

    /// <summary>Forgets the dead processes, because the ledger knows of them.</summary>
    public void ForgetGoneHolders()
    {
        GoneHolders = [];
        WriteOwners([Holder]);
    }

    public void Dispose()
    {
        Journal.Dispose();
        WriteOwners(GoneHolders);
        _owner.Dispose();
    }

    string[] ReadOwners()
    {
        using var reader = new StreamReader(_owner, leaveOpen: true);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    void WriteOwners(IReadOnlyList<string> holders)
    {
        _owner.SetLength(0);
        using var writer = new StreamWriter(_owner, leaveOpen: true) { NewLine = "\n" };
        foreach (var holder in holders)
            writer.WriteLine(holder);
    }

    SpoolFile Begin()
    {
        Failpoint.Hit("proxy.spool.begin");
        var file = new SpoolFile(MappedFile.Create(Path.Combine(_folder, $"{_sequence + 1:D12}.spool"), FileBytes));
        _sequence++;
        _files.Enqueue(file);
        return file;
    }
}

public static class SpoolRegistration
{
    public static void AddSpool(this IHostApplicationBuilder builder)
    {
        var folder = builder.Setting(Spool.Setting);
        builder.Services.AddSingleton(services => ActivatorUtilities.CreateInstance<Spool>(services, folder));
    }
}
