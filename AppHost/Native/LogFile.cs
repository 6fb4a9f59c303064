using System.Diagnostics;
using System.Text;

namespace LlmGateway.AppHost.Native;

/// <summary>What one process prints. Never more than two files of 50 MB: the current one and its predecessor.</summary>
sealed class LogFile(string path) : IDisposable
{
    const long MaxBytes = 50_000_000;

    readonly Lock gate = new();
    FileStream file = Rotate(path);

    /// <summary>Copies both outputs of a process until they end.</summary>
    public void Follow(Process process)
    {
        _ = CopyAsync(process.StandardOutput.BaseStream);
        _ = CopyAsync(process.StandardError.BaseStream);
    }

    public void Note(string line) => Write(Encoding.UTF8.GetBytes($"--- {line}\n"));

    /// <summary>Why the process most likely ended: the last thing that it called critical, or else the last that it said.</summary>
    public string? LastWord()
    {
        lock (gate)
            file.Flush();
        var lines = LastLines(path, 100).ToArray();
        return lines.LastOrDefault(line => line.Contains(" crit: ", StringComparison.Ordinal)) ?? lines.LastOrDefault();
    }

    /// <summary>The end of a log; empty lines do not count.</summary>
    public static IEnumerable<string> LastLines(string path, int count)
    {
        const int tail = 200_000;
        using var log = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        log.Seek(-Math.Min(tail, log.Length), SeekOrigin.End);
        return new StreamReader(log).ReadToEnd().Split('\n').Where(line => !string.IsNullOrWhiteSpace(line)).TakeLast(count);
    }

    public void Dispose()
    {
        lock (gate)
            file.Dispose();
    }

    async Task CopyAsync(Stream output)
    {
        var buffer = new byte[16_384];
        while (await output.ReadAsync(buffer) is > 0 and var count)
            Write(buffer.AsSpan(0, count));
    }

    void Write(ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            // A process that we have given up may still print.
            if (!file.CanWrite)
                return;
            if (file.Length + bytes.Length > MaxBytes)
            {
                file.Dispose();
                file = Rotate(path);
            }
            file.Write(bytes);
            file.Flush();
        }
    }

    static FileStream Rotate(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (File.Exists(path))
            File.Move(path, path + ".1", overwrite: true);
        return new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
    }
}
