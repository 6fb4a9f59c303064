using System.Globalization;
using System.Threading.Channels;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Finished requests on disk until the broker has confirmed them: a record each, appended before the answer's last byte is released. Files are
/// mapped, so that a record survives the death of this process as soon as it is written; what a dead process left is read again at the next start, and
/// repetitions are harmless. One folder per process. Requests that were running when a process died stand in <see cref="InFlight"/>; they are appended
/// here first.
/// </summary>
public sealed class Spool : IDisposable
{
    /// <summary>Size of a file. Another one is begun when it is full, so that confirmed ones can be deleted. The rest of the last one is zeros.</summary>
    const int FileBytes = 4 * 1024 * 1024;

    readonly Lock _lock = new();
    readonly string _folder;
    readonly FileStream _owner;
    readonly Queue<SpoolFile> _files;
    readonly Channel<bool> _news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    SpoolFile _current;
    long _sequence;

    public Spool(IConfiguration configuration, ILogger<Spool> log)
    {
        _folder = Directory.CreateDirectory(configuration.Setting(Configuration.SpoolSetting)).FullName;
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
        InFlight = new(_folder);
        foreach (var record in InFlight.Left)
            Append(record);
        if (InFlight.Left.Count > 0)
            log.LogWarning("{Count} requests were running when this proxy's predecessor died; they are settled with what was delivered by their last checkpoint", InFlight.Left.Count);
        Failpoint.Hit("proxy.inflight.recovered");
        InFlight.ForgetLeft();
        RecordsLeft += InFlight.Left.Count;
        Wake();
    }

    /// <summary>This process in the ledger's eyes; a restarted proxy is another holder.</summary>
    public string Holder { get; } = $"{Environment.MachineName}:{Environment.ProcessId}:{Ids.New():N}";

    /// <summary>Processes that had this folder before and did not end in order. What their leases hold can go back once their records are delivered.</summary>
    public IReadOnlyList<string> GoneHolders { get; private set; }

    /// <summary>How many records stood here before this process's own.</summary>
    public long RecordsLeft { get; }

    public InFlight InFlight { get; }

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
    public ValueTask<bool> WaitAsync(CancellationToken token) => _news.Reader.ReadAsync(token);

    /// <summary>Ends <see cref="WaitAsync"/>.</summary>
    public void Wake() => _news.Writer.TryWrite(true);

    /// <summary>The oldest file that has not been delivered, and whether more will be appended to it.</summary>
    public (SpoolFile File, bool Growing) Oldest()
    {
        lock (_lock)
            return (_files.Peek(), _files.Count == 1);
    }

    /// <summary>Of all records that have not been delivered. A file that an earlier process left counts whole until it is read.</summary>
    public long UnconfirmedBytes
    {
        get
        {
            lock (_lock)
                return _files.Sum(file => file.UnconfirmedBytes);
        }
    }

    /// <summary>Everything in the oldest file is confirmed, and nothing more will be appended.</summary>
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

    /// <summary>The ledger knows that they are gone.</summary>
    public void ForgetGoneHolders()
    {
        GoneHolders = [];
        WriteOwners([Holder]);
    }

    public void Dispose()
    {
        InFlight.Dispose();
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

/// <summary>One file of the spool: this process's own, which grows, or one that an earlier process left. One writer, one reader.</summary>
public sealed class SpoolFile : IDisposable
{
    readonly MappedFile? _own;
    byte[]? _left;
    int _written, _confirmed;

    internal SpoolFile(MappedFile own) => (_own, Path) = (own, own.Path);

    internal SpoolFile(string path) => Path = path;

    public string Path { get; }

    /// <summary>The next whole records that have not been confirmed, at most <paramref name="most"/>. One without its end was cut by a crash before its answer was released.</summary>
    public (byte[] Records, int Count) Take(int most)
    {
        // What an earlier process left is read when its turn comes: after a long outage of the broker there may be many files.
        var unread = _own is null ? (_left ??= File.ReadAllBytes(Path)).AsSpan(_confirmed) : _own.Bytes[_confirmed..Volatile.Read(ref _written)];
        var (length, count) = (0, 0);
        for (int record; count < most && (record = SettlementRecord.LengthOf(unread[length..])) > 0; count++)
            length += record;
        return (unread[..length].ToArray(), count);
    }

    internal long UnconfirmedBytes =>
        (_own is null ? _left?.Length ?? new FileInfo(Path).Length : Volatile.Read(ref _written)) - _confirmed;

    public void Confirm(int bytes) => _confirmed += bytes;

    public void Dispose() => _own?.Dispose();

    internal bool HasRoomFor(int bytes) => _own is not null && _own.Bytes.Length - _written >= bytes;

    /// <summary>The length last: until it stands there, the rest is zeros to whoever reads the file after a crash.</summary>
    internal void Append(ReadOnlySpan<byte> record)
    {
        var place = _own!.Bytes.Slice(_written, record.Length);
        record[SettlementRecord.HeadBytes..].CopyTo(place[SettlementRecord.HeadBytes..]);
        Interlocked.MemoryBarrier();
        record[..SettlementRecord.HeadBytes].CopyTo(place);
        Volatile.Write(ref _written, _written + record.Length);
    }
}
