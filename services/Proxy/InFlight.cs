using System.IO.MemoryMappedFiles;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// For each running request, the line that it is to be settled with should this process die now: at first that nothing was delivered, then what had
/// been at the last checkpoint, at last what it really used. The lines stand in files that are mapped into memory, so keeping them up to date costs
/// no call to the operating system, and <c>kill -9</c> leaves them all: the next process with this folder finds them in <see cref="Left"/>.
/// <code>
///   file ── slot (8 KB) ── which half counts, 0 for none │ length 1 │ length 2 │ half 1 │ half 2
/// </code>
/// A line is written into the half that does not count, then the slot turns to it: a death between two bytes leaves a whole line.
/// </summary>
public sealed class InFlight : IDisposable
{
    const int SlotBytes = 8192, HeadBytes = 16, HalfBytes = (SlotBytes - HeadBytes) / 2;

    /// <summary>Slots of one file; more files come as more requests run at once.</summary>
    const int FileSlots = 512, MaxFiles = 64;

    readonly Lock _lock = new();
    readonly string _folder;
    readonly string[] _leftFiles;
    readonly List<(string Path, MemoryMappedViewAccessor View)> _files = [];

    // The slot that was freed last is used next, so that few pages are touched when few requests run.
    readonly Stack<Slot> _free = new();

    public InFlight(string folder)
    {
        _folder = folder;
        _leftFiles = Directory.GetFiles(folder, "*.inflight");
        Left = [.. _leftFiles.SelectMany(Lines)];
    }

    /// <summary>Lines of requests that died with an earlier process.</summary>
    public IReadOnlyList<byte[]> Left { get; }

    /// <summary>What was left is safe elsewhere now.</summary>
    public void ForgetLeft()
    {
        foreach (var path in _leftFiles)
            File.Delete(path);
    }

    /// <summary>A place for one request; null when the disk is full, or when more requests run than there is room for.</summary>
    public Slot? Take()
    {
        lock (_lock)
            return _free.Count > 0 || Grow() ? _free.Pop() : null;
    }

    /// <summary>After an orderly stop no slot is in use and no file remains. The mapping stays: a request that is still ending may write.</summary>
    public void Dispose()
    {
        foreach (var (path, _) in _files)
            if (!Lines(path).Any())
                File.Delete(path);
    }

    bool Grow()
    {
        if (_files.Count == MaxFiles)
            return false;
        var path = Path.Combine(_folder, $"{Ids.New():N}.inflight");
        try
        {
            // The space is taken at once: a mapped page that the disk has no room for would kill the process when it is written.
            using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite | FileShare.Delete, PreallocationSize = FileSlots * SlotBytes,
            });
            file.SetLength(FileSlots * SlotBytes);
            using var mapping = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
            var view = mapping.CreateViewAccessor();
            _files.Add((path, view));
            for (var slot = FileSlots - 1; slot >= 0; slot--)
                _free.Push(new Slot(this, view, slot * SlotBytes));
            return true;
        }
        catch (IOException)
        {
            File.Delete(path);
            return false;
        }
    }

    static IEnumerable<byte[]> Lines(string path)
    {
        var bytes = File.ReadAllBytes(path);
        for (var at = 0; at + SlotBytes <= bytes.Length; at += SlotBytes)
        {
            var half = BitConverter.ToInt32(bytes, at);
            if (half is 1 or 2)
                yield return bytes.AsSpan(at + HeadBytes + (half - 1) * HalfBytes, Math.Clamp(BitConverter.ToInt32(bytes, at + 4 * half), 0, HalfBytes)).ToArray();
        }
    }

    /// <summary>One running request's place; not for two threads at once.</summary>
    public sealed class Slot
    {
        readonly InFlight _owner;
        readonly MemoryMappedViewAccessor _view;
        readonly int _at;
        int _half;

        internal Slot(InFlight owner, MemoryMappedViewAccessor view, int at) => (_owner, _view, _at) = (owner, view, at);

        /// <summary>Replaces the line. One that is too long is not taken: then the line before stands, which charges no more.</summary>
        public void Put(ReadOnlySpan<byte> line)
        {
            if (line.Length > HalfBytes)
                return;
            var half = _half == 1 ? 2 : 1;
            _view.SafeMemoryMappedViewHandle.WriteSpan((ulong)(_at + HeadBytes + (half - 1) * HalfBytes), line);
            _view.Write(_at + 4 * half, line.Length);
            Turn(half);
        }

        /// <summary>The request's end is safe elsewhere.</summary>
        public void Free()
        {
            Turn(0);
            lock (_owner._lock)
                _owner._free.Push(this);
        }

        void Turn(int half)
        {
            Interlocked.MemoryBarrier();
            _view.Write(_at, half);
            _half = half;
        }
    }
}
