using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

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
