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
    /// <summary>The folder of this process's spool, and the space that it may take there.</summary>
    public const string Setting = "Proxy:Spool", SizeSetting = "Proxy:SpoolMegabytes";

    public const int DefaultMegabytes = 4096;

    /// <summary>What is added to the name of a file that cannot be read to its end.</summary>
    const string Broken = ".broken";

    /// <summary>
    /// Size of a file. A full file is followed by another one, so that confirmed files can be deleted. The unused rest of a file is zeros.
    /// </summary>
    const int FileBytes = 4 * Megabyte, Megabyte = 1024 * 1024;

    readonly Lock _lock = new();
    readonly string _folder;
    readonly FileStream _owner;
    readonly Queue<SpoolFile> _files;
    readonly WakeSignal _appended = new();
    readonly ILogger<Spool> _log;
    readonly int _maxFiles;
    SpoolFile _current;

    /// <summary>
    /// The file after the current one. It is made ahead, because making it blocks, and records are appended on socket threads.
    /// </summary>
    Task<SpoolFile>? _next;
    long _sequence, _records;
    int _fileCount;

    public Spool(string folder, ILogger<Spool> log, int megabytes = DefaultMegabytes)
    {
        (_log, _maxFiles) = (log, Math.Max(1, megabytes / (FileBytes / Megabyte)));
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
        _current = Begin();
        Journal = new(_folder);
        AppendUnfinished(left);
        Failpoint.Hit("proxy.journal.recovered");
        Journal.ForgetLeft();
        Journal.MakeRoom();
        Wake();
    }

    /// <summary>The name of this process in the ledger. A restarted proxy is another holder.</summary>
    public string Holder { get; } = $"{Environment.MachineName}:{Environment.ProcessId}:{Ids.New():N}";

    /// <summary>
    /// Processes that had this folder before and did not end in order. What their leases hold can go back once their records are delivered.
    /// </summary>
    public IReadOnlyList<string> GoneHolders { get; private set; }

    public DeliveryMark Delivered { get; } = new();

    /// <summary>Records that the broker has not confirmed, those of this folder's earlier processes among them.</summary>
    public long Undelivered => Volatile.Read(ref _records) - Delivered.Count;

    /// <summary>The files take more space than they may, because the broker has been away for long.</summary>
    public bool IsFull => Volatile.Read(ref _fileCount) > _maxFiles;

    public CrashJournal Journal { get; }

    /// <summary>Throws <see cref="IOException"/> when the disk is full or gone.</summary>
    /// <returns>The record's number. It is delivered when <see cref="Delivered"/> has reached it.</returns>
    public long Append(ReadOnlySpan<byte> record)
    {
        long number;
        lock (_lock)
        {
            if (!_current.HasRoomFor(record.Length))
                _current = Begin();
            Failpoint.Hit("proxy.spool.append");
            // Counted first: whoever reads the record finds it counted.
            number = _records + 1;
            Volatile.Write(ref _records, number);
            _current.Append(record);
            if (_next is null && !_current.HasRoomFor(FileBytes / 2))
                _next = NewFileAsync(_sequence + 1);
        }
        Failpoint.Hit("proxy.spool.appended");
        return number;
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

    /// <summary>
    /// Deletes the oldest file. All its records are confirmed, and nothing more will be appended. A file with something after its last
    /// whole record is kept under another name, because charges may stand there.
    /// </summary>
    public void Delete(SpoolFile file)
    {
        lock (_lock)
        {
            if (_files.Peek() != file || _files.Count == 1)
                throw new InvalidOperationException($"'{file.Path}' is not the oldest finished spool file");
            _files.Dequeue();
            _fileCount = _files.Count;
        }
        Failpoint.Hit("proxy.spool.delete");
        file.Dispose();
        if (file.HasRest)
        {
            _log.LogCritical("'{Path}' cannot be read to its end; it is kept as '{Kept}'", file.Path, file.Path + Broken);
            File.Move(file.Path, file.Path + Broken);
        }
        else
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
        // Leases wait for records that stay on disk. The next process tells when they are sent, as for a process that died.
        WriteOwners(Undelivered > 0 ? [.. GoneHolders, Holder] : GoneHolders);
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

    /// <summary>
    /// Appends the records of requests that were running when an earlier process died. A request whose end stands in one of the
    /// <paramref name="left"/> files is not among them: with several consumers its checkpoint could be settled first.
    /// </summary>
    void AppendUnfinished(string[] left)
    {
        var running = Journal.Left.ToLookup(record => SettlementRecord.IdOf(record));
        var ended = new HashSet<Guid>();
        foreach (var path in left)
            _records += new SpoolFile(path).Count(record =>
            {
                if (running.Count > 0 && SettlementRecord.IdOf(record) is { } id && running.Contains(id))
                    ended.Add(id);
            });
        var count = 0;
        foreach (var record in running.Where(request => request.Key is not { } id || !ended.Contains(id)).SelectMany(request => request))
        {
            Append(record);
            count++;
        }
        if (count > 0)
            _log.LogWarning(
                "{Count} requests were running when this proxy's predecessor died; they are settled with their last checkpoints", count);
    }

    SpoolFile Begin()
    {
        Failpoint.Hit("proxy.spool.begin");
        var next = _next;
        _next = null;
        var file = next is null ? NewFile(_sequence + 1) : next.GetAwaiter().GetResult();
        _sequence++;
        _files.Enqueue(file);
        _fileCount = _files.Count;
        if (_fileCount == _maxFiles + 1)
            _log.LogCritical(
                "settlements fill the spool's {Count} files; new requests are refused until the broker has taken some", _maxFiles);
        return file;
    }

    Task<SpoolFile> NewFileAsync(long number) => Task.Run(() => NewFile(number));

    SpoolFile NewFile(long number) => new(MappedFile.Create(Path.Combine(_folder, $"{number:D12}.spool"), FileBytes));
}

public static class SpoolRegistration
{
    public static void AddSpool(this IHostApplicationBuilder builder)
    {
        var folder = builder.Setting(Spool.Setting);
        builder.Services.AddSingleton(services => ActivatorUtilities.CreateInstance<Spool>(
            services, folder, builder.Configuration.GetValue(Spool.SizeSetting, Spool.DefaultMegabytes)));
    }
}
