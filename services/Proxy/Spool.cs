using System.Globalization;
using System.Threading.Channels;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Finished requests on disk until the broker has confirmed them: a line of JSON each, appended before the answer's last byte is released. An append
/// has reached the operating system when it returns, so it survives the death of this process; what a dead process left is read again at the next
/// start, and repetitions are harmless. One folder per process. Requests that were running when a process died stand in <see cref="InFlight"/>; they
/// are appended here first.
/// </summary>
public sealed class Spool : IDisposable
{
    /// <summary>A new file is begun beyond this size, so that confirmed ones can be deleted.</summary>
    const long MaxFileBytes = 4 * 1024 * 1024;

    readonly Lock _lock = new();
    readonly string _folder;
    readonly FileStream _owner;
    readonly Queue<string> _files;
    readonly Channel<bool> _news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    FileStream _current;
    long _sequence, _length;

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
        _files = new(left);
        _current = Begin();
        InFlight = new(_folder);
        foreach (var line in InFlight.Left)
            Append(line);
        if (InFlight.Left.Count > 0)
            log.LogWarning("{Count} requests were running when this proxy's predecessor died; they are settled with what was delivered by their last checkpoint", InFlight.Left.Count);
        InFlight.ForgetLeft();
        LinesLeft = left.Sum(CountLines) + InFlight.Left.Count;
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
            if (_length + line.Length > MaxFileBytes)
            {
                _current.Dispose();
                _current = Begin();
            }
            try
            {
                RandomAccess.Write(_current.SafeFileHandle, line, _length);
                _length += line.Length;
            }
            catch (IOException)
            {
                // Half a line would spoil the next one.
                RandomAccess.SetLength(_current.SafeFileHandle, _length);
                throw;
            }
        }
    }

    /// <summary>Waits until something may have been appended.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken token) => _news.Reader.ReadAsync(token);

    /// <summary>Ends <see cref="WaitAsync"/>.</summary>
    public void Wake() => _news.Writer.TryWrite(true);

    /// <summary>The oldest file, and whether more will be appended to it.</summary>
    public (string Path, bool Growing) Oldest()
    {
        lock (_lock)
            return (_files.Peek(), _files.Count == 1);
    }

    /// <summary>Everything in the oldest file is confirmed, and nothing more will be appended.</summary>
    public void Delete(string path)
    {
        lock (_lock)
        {
            if (_files.Peek() != path || _files.Count == 1)
                throw new InvalidOperationException($"'{path}' is not the oldest finished spool file");
            _files.Dequeue();
        }
        File.Delete(path);
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
        _current.Dispose();
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

    static long CountLines(string path)
    {
        using var file = File.OpenRead(path);
        var buffer = new byte[64 * 1024];
        var lines = 0L;
        for (int read; (read = file.Read(buffer)) > 0;)
            lines += buffer.AsSpan(0, read).Count((byte)'\n');
        return lines;
    }

    FileStream Begin()
    {
        var path = Path.Combine(_folder, $"{++_sequence:D12}.jsonl");
        // No buffer of our own: what Append has written must not die with this process.
        var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read | FileShare.Delete, bufferSize: 0);
        _files.Enqueue(path);
        _length = 0;
        return file;
    }
}
