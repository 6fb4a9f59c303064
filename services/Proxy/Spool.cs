using System.Globalization;
using System.Threading.Channels;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Finished requests on disk until the broker has confirmed them: a line of JSON each, appended before the answer's last byte is released. Files are
/// mapped, so that a line survives the death of this process as soon as it is written; what a dead process left is read again at the next start, and
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

        var left = Directory.GetFiles(_folder, "*.jsonl").Order(StringComparer.Ordinal).ToArray();
        _sequence = left.Length == 0 ? 0 : long.Parse(Path.GetFileNameWithoutExtension(left[^1]), CultureInfo.InvariantCulture);
        _files = new(left.Select(path => new SpoolFile(path)));
        LinesLeft = left.Sum(path => File.ReadAllBytes(path).Count(value => value == '\n'));
        _current = Begin();
        InFlight = new(_folder);
        foreach (var line in InFlight.Left)
            Append(line);
        if (InFlight.Left.Count > 0)
            log.LogWarning("{Count} requests were running when this proxy's predecessor died; they are settled with what was delivered by their last checkpoint", InFlight.Left.Count);
        InFlight.ForgetLeft();
        LinesLeft += InFlight.Left.Count;
        Wake();
    }

    /// <summary>This process in the ledger's eyes; a restarted proxy is another holder.</summary>
    public string Holder { get; } = $"{Environment.MachineName}:{Environment.ProcessId}:{Ids.New():N}";

    /// <summary>Processes that had this folder before and did not end in order. What their leases hold can go back once their lines are delivered.</summary>
    public IReadOnlyList<string> GoneHolders { get; private set; }

    /// <summary>How many lines stood here before this process's own.</summary>
    public long LinesLeft { get; }

    public InFlight InFlight { get; }

    /// <summary>Appends a line, its line feed included. Throws <see cref="IOException"/> when the disk is full or gone.</summary>
    public void Append(ReadOnlySpan<byte> line)
    {
        lock (_lock)
        {
            if (!_current.HasRoomFor(line.Length))
                _current = Begin();
            _current.Append(line);
        }
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

    /// <summary>Everything in the oldest file is confirmed, and nothing more will be appended.</summary>
    public void Delete(SpoolFile file)
    {
        lock (_lock)
        {
            if (_files.Peek() != file || _files.Count == 1)
                throw new InvalidOperationException($"'{file.Path}' is not the oldest finished spool file");
            _files.Dequeue();
        }
        file.Dispose();
        File.Delete(file.Path);
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
        var file = new SpoolFile(MappedFile.Create(Path.Combine(_folder, $"{_sequence + 1:D12}.jsonl"), FileBytes));
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

    /// <summary>Whole lines that have not been confirmed. A last line without its end was cut by a crash before its answer was released: nothing is lost with it.</summary>
    public ReadOnlySpan<byte> Unread
    {
        get
        {
            if (_own is not null)
                return _own.Bytes[_confirmed..Volatile.Read(ref _written)];
            // Read when its turn comes: after a long outage of the broker there may be many.
            _left ??= File.ReadAllBytes(Path);
            return _left.AsSpan(_confirmed, _left.AsSpan().LastIndexOf((byte)'\n') + 1 - _confirmed);
        }
    }

    public void Dispose() => _own?.Dispose();

    public void Confirm(int bytes) => _confirmed += bytes;

    internal bool HasRoomFor(int bytes) => _own is not null && _own.Bytes.Length - _written >= bytes;

    internal void Append(ReadOnlySpan<byte> line)
    {
        line.CopyTo(_own!.Bytes[_written..]);
        Volatile.Write(ref _written, _written + line.Length);
    }
}
