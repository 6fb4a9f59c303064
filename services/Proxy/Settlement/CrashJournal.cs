using System.Buffers.Binary;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// For each running request, the settlement that it gets if this process dies now: first one that charges nothing, then one for what was
/// delivered by the last checkpoint, and in the end the real one. The records stand in files that are mapped into memory, so updating them
/// needs no system call, and <c>kill -9</c> leaves them all. The next process with this folder finds them in <see cref="Left"/>.
/// <code>
///   file ── slot (8 KB) ── which half counts, 0 for none │ length 1 │ length 2 │ half 1 │ half 2
/// </code>
/// A record is written into the half that does not count. Then the slot turns to that half, so a death at any byte leaves a whole record.
/// </summary>
public sealed class CrashJournal : IDisposable
{
    const int SlotBytes = 8192, HeadBytes = 16, HalfBytes = (SlotBytes - HeadBytes) / 2;

    /// <summary>Slots of one file. Further files are added when more requests run at once.</summary>
    const int FileSlots = 512, MaxFiles = 64;

    /// <summary>When so few slots are free, the next file is made. Making it blocks, and slots are taken on socket threads.</summary>
    const int FewSlots = 128;

    /// <summary>How the name of a file ends. Files of earlier versions end in <c>.inflight</c> and are read as well.</summary>
    const string Ending = ".journal";

    readonly Lock _lock = new();
    readonly string _folder;
    readonly string[] _leftFiles;
    readonly List<MappedFile> _files = [];
    Task _growing = Task.CompletedTask;

    // The slot freed last is used next, so that few pages are touched when few requests run.
    readonly Stack<Slot> _free = new();

    public CrashJournal(string folder)
    {
        _folder = folder;
        _leftFiles = [.. Directory.GetFiles(folder, $"*{Ending}"), .. Directory.GetFiles(folder, "*.inflight")];
        Left = [.. _leftFiles.SelectMany(Records)];
    }

    /// <summary>Records of requests that were running when an earlier process died.</summary>
    public IReadOnlyList<byte[]> Left { get; }

    /// <summary>Deletes the files of earlier processes, whose records are stored elsewhere by now.</summary>
    public void ForgetLeft()
    {
        foreach (var path in _leftFiles)
            File.Delete(path);
    }

    /// <summary>Takes a slot for one request. Null when the disk takes no further file, or when no more files may be added.</summary>
    public Slot? Take()
    {
        lock (_lock)
        {
            if (_free.Count <= FewSlots && _free.Count > 0 && _growing.IsCompleted && _files.Count < MaxFiles)
                _growing = Task.Run(Grow);
            return _free.Count > 0 || Grow() ? _free.Pop() : null;
        }
    }

    /// <summary>Makes the first file.</summary>
    public void MakeRoom() => Grow();

    /// <summary>
    /// After an orderly stop no slot is in use, so no file remains. The mapping stays, because a request that is still ending may write.
    /// </summary>
    public void Dispose()
    {
        foreach (var file in _files)
            if (File.Exists(file.Path) && !Records(file.Path).Any())
                File.Delete(file.Path);
    }

    bool Grow()
    {
        if (_files.Count >= MaxFiles)
            return false;
        try
        {
            var file = MappedFile.Create(Path.Combine(_folder, $"{Ids.New():N}{Ending}"), FileSlots * SlotBytes);
            lock (_lock)
            {
                _files.Add(file);
                for (var slot = FileSlots - 1; slot >= 0; slot--)
                    _free.Push(new Slot(this, file, slot * SlotBytes));
            }
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    static IEnumerable<byte[]> Records(string path)
    {
        var bytes = File.ReadAllBytes(path);
        for (var at = 0; at + SlotBytes <= bytes.Length; at += SlotBytes)
        {
            var half = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));
            if (half is 1 or 2)
                yield return bytes.AsSpan(
                    at + HeadBytes + (half - 1) * HalfBytes,
                    Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at + 4 * half)), 0, HalfBytes)).ToArray();
        }
    }

    /// <summary>The slot of one running request; not for two threads at once.</summary>
    public sealed class Slot
    {
        readonly CrashJournal _owner;
        readonly MappedFile _file;
        readonly int _at;
        int _half;

        internal Slot(CrashJournal owner, MappedFile file, int at) => (_owner, _file, _at) = (owner, file, at);

        /// <summary>Replaces the record. A record that is too long is ignored: the one before it stays, which charges no more.</summary>
        public void Put(ReadOnlySpan<byte> record)
        {
            if (record.Length > HalfBytes)
                return;
            var half = _half == 1 ? 2 : 1;
            var slot = _file.Bytes.Slice(_at, SlotBytes);
            record.CopyTo(slot[(HeadBytes + (half - 1) * HalfBytes)..]);
            BinaryPrimitives.WriteInt32LittleEndian(slot[(4 * half)..], record.Length);
            Turn(half);
        }

        /// <summary>Ends the slot's use, because the request's end is stored elsewhere.</summary>
        public void Free()
        {
            Turn(0);
            lock (_owner._lock)
                _owner._free.Push(this);
        }

        void Turn(int half)
        {
            // The record must be written before the slot points to it.
            Interlocked.MemoryBarrier();
            BinaryPrimitives.WriteInt32LittleEndian(_file.Bytes[_at..], half);
            _half = half;
        }
    }
}
