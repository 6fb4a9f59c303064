using System.IO.MemoryMappedFiles;

namespace LlmGateway.Proxy;

/// <summary>
/// A new file of fixed size that is mapped into memory. What is written there survives the death of this process without a system call.
/// </summary>
public sealed unsafe class MappedFile : IDisposable
{
    readonly MemoryMappedViewAccessor _view;
    byte* _start;
    readonly int _length;

    MappedFile(string path, MemoryMappedViewAccessor view, int length)
    {
        (Path, _view, _length) = (path, view, length);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
    }

    public string Path { get; }

    public Span<byte> Bytes => _start is null ? throw new ObjectDisposedException(Path) : new(_start, _length);

    /// <summary>
    /// Throws <see cref="IOException"/> when the disk has no room for it, and <see cref="UnauthorizedAccessException"/> when the folder
    /// takes no files. Later writes cannot fail any more.
    /// </summary>
    public static MappedFile Create(string path, int length)
    {
        try
        {
            // The space is allocated at once. Writing to a mapped page without disk space would kill the process.
            using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite | FileShare.Delete,
                PreallocationSize = length,
            });
            file.SetLength(length);
            using var mapping = MemoryMappedFile.CreateFromFile(
                file, null, 0, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
            return new(path, mapping.CreateViewAccessor(), length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Unmaps the memory, which nobody may be using. The file stays.</summary>
    public void Dispose()
    {
        _start = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
    }
}
