using System.Text.Json;
using System.Threading.Channels;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Finished requests on disk until the broker has confirmed them: a line of JSON each, appended before the answer's last byte is released. An append
/// has reached the operating system when it returns, so it survives the death of this process; what a dead process left is read again at the next
/// start, and repetitions are harmless. One folder per process.
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
    long _sequence;

    public Spool(IConfiguration configuration)
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
        var left = Directory.GetFiles(_folder, "*.jsonl").Order(StringComparer.Ordinal).ToArray();
        _sequence = left.Length == 0 ? 0 : long.Parse(Path.GetFileNameWithoutExtension(left[^1]), System.Globalization.CultureInfo.InvariantCulture);
        _files = new(left);
        _current = Begin();
        _news.Writer.TryWrite(true);
    }

    /// <summary>Throws <see cref="IOException"/> when the disk is full or gone.</summary>
    public void Append(Settlement settlement)
    {
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(settlement, Defaults.Json), (byte)'\n'];
        lock (_lock)
        {
            if (_current.Length + line.Length > MaxFileBytes)
            {
                _current.Dispose();
                _current = Begin();
            }
            Failpoint.Hit("proxy.spool.append");
            var end = _current.Length;
            try
            {
                _current.Write(line);
            }
            catch (IOException)
            {
                // Half a line would spoil the next one.
                _current.SetLength(end);
                throw;
            }
        }
        Failpoint.Hit("proxy.spool.appended");
        Wake();
    }

    /// <summary>Waits until something may have been appended.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken token) => _news.Reader.ReadAsync(token);

    /// <summary>Ends <see cref="WaitAsync"/> for another reason.</summary>
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
        Failpoint.Hit("proxy.spool.delete");
        File.Delete(path);
        Failpoint.Hit("proxy.spool.deleted");
    }

    public void Dispose()
    {
        _current.Dispose();
        _owner.Dispose();
    }

    FileStream Begin()
    {
        var path = Path.Combine(_folder, $"{++_sequence:D12}.jsonl");
        Failpoint.Hit("proxy.spool.begin");
        // No buffer of our own: what Append has written must not die with this process.
        var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read | FileShare.Delete, bufferSize: 0);
        _files.Enqueue(path);
        return file;
    }
}
