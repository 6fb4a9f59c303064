using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// One file of the spool: the growing one of this process, or one that an earlier process left. It has one writer and one reader.
/// </summary>
public sealed class SpoolFile : IDisposable
{
    readonly MappedFile? _own;
    byte[]? _left;
    int _written, _confirmed;

    internal SpoolFile(MappedFile own) => (_own, Path) = (own, own.Path);

    internal SpoolFile(string path) => Path = path;

    public string Path { get; }

    /// <summary>
    /// The next whole records that are not confirmed, at most <paramref name="most"/>. A crash cut a record without an end before its
    /// answer was released.
    /// </summary>
    public (byte[] Records, int Count) Take(int most)
    {
        // A file of an earlier process is read only when its turn comes, because a long outage of the broker may leave many.
        var unread = _own is null
            ? (_left ??= File.ReadAllBytes(Path)).AsSpan(_confirmed)
            : _own.Bytes[_confirmed..Volatile.Read(ref _written)];
        var (length, count) = (0, 0);
        for (int record; count < most && (record = SettlementRecord.LengthOf(unread[length..])) > 0; count++)
            length += record;
        return (unread[..length].ToArray(), count);
    }

    /// <summary>Shows every record to <paramref name="see"/> and returns how many there are. Nothing of the file stays in memory.</summary>
    public int Count(RecordAction see)
    {
        ReadOnlySpan<byte> unread = File.ReadAllBytes(Path);
        var count = 0;
        for (int record; (record = SettlementRecord.LengthOf(unread)) > 0; count++)
        {
            see(unread[..record]);
            unread = unread[record..];
        }
        return count;
    }

    public delegate void RecordAction(ReadOnlySpan<byte> record);

    /// <summary>
    /// Something stands after the last whole record of a file that an earlier process left. Nothing does in a file that was written to its
    /// end.
    /// </summary>
    internal bool HasRest => _left is not null && _left.AsSpan(_confirmed).ContainsAnyExcept((byte)0);

    internal long UnconfirmedBytes =>
        (_own is null ? _left?.Length ?? new FileInfo(Path).Length : Volatile.Read(ref _written)) - _confirmed;

    public void Confirm(int bytes) => _confirmed += bytes;

    public void Dispose() => _own?.Dispose();

    internal bool HasRoomFor(int bytes) => _own is not null && _own.Bytes.Length - _written >= bytes;

    /// <summary>The length is written last. Until then, whoever reads the file after a crash sees zeros.</summary>
    internal void Append(ReadOnlySpan<byte> record)
    {
        var place = _own!.Bytes.Slice(_written, record.Length);
        record[SettlementRecord.HeadBytes..].CopyTo(place[SettlementRecord.HeadBytes..]);
        Interlocked.MemoryBarrier();
        record[..SettlementRecord.HeadBytes].CopyTo(place);
        Volatile.Write(ref _written, _written + record.Length);
    }
}
