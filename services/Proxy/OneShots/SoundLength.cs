using System.Buffers.Binary;

namespace LlmGateway.Proxy.OneShots;

/// <summary>
/// The length of a file of sound. The file's size bounds the length only in formats where every second needs bytes. In other formats a few
/// bytes may stand for hours of silence.
/// </summary>
/// <param name="Most">Most seconds, whatever the file claims; null when nothing bounds them.</param>
/// <param name="Likely">Probable seconds, for durations that no provider counts.</param>
public readonly record struct SoundLength(long? Most, long Likely)
{
    /// <summary>MP3 has no rate below 8 kbit/s.</summary>
    const int LeastMp3BytesPerSecond = 1_000;

    /// <summary>A file of an unknown format is taken for 32 kbit/s, the usual rate of speech recorders.</summary>
    const int UsualBytesPerSecond = 4_000;

    /// <summary>Least bytes before the samples.</summary>
    const int WavHeader = 44;

    const int Id3Header = 10;

    public static SoundLength Of(ReadOnlySpan<byte> file)
    {
        if (WavBytesPerSecond(file) is { } rate)
            return new(DividedUp(file.Length - WavHeader, rate), DividedUp(file.Length - WavHeader, rate));
        if (Mp3Seconds(file) is { } seconds)
            return new(DividedUp(file.Length, LeastMp3BytesPerSecond), seconds);
        return new(null, DividedUp(file.Length, UsualBytesPerSecond));
    }

    static long DividedUp(long bytes, long rate) => (bytes + rate - 1) / rate;

    /// <summary>Null when the file is no WAV of plain samples. The rate of plain samples determines the file's size.</summary>
    static long? WavBytesPerSecond(ReadOnlySpan<byte> file)
    {
        const int Pcm = 1, Float = 3, ALaw = 6, MuLaw = 7, Extensible = 0xFFFE;
        if (file.Length <= WavHeader || !file.StartsWith("RIFF"u8) || !file[8..].StartsWith("WAVE"u8))
            return null;
        for (var chunk = file[12..]; chunk.Length >= 8;)
        {
            var size = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
            var content = chunk[8..];
            if (chunk.StartsWith("data"u8) || size > content.Length)
                return null;
            if (!chunk.StartsWith("fmt "u8))
            {
                // Chunks are padded to even sizes.
                chunk = content[(int)Math.Min(content.Length, size + (size & 1))..];
                continue;
            }
            if (size < 16)
                return null;
            var format = BinaryPrimitives.ReadUInt16LittleEndian(content);
            if (format == Extensible && size >= 26)
                format = BinaryPrimitives.ReadUInt16LittleEndian(content[24..]);
            long channels = BinaryPrimitives.ReadUInt16LittleEndian(content[2..]),
                samples = BinaryPrimitives.ReadUInt32LittleEndian(content[4..]),
                bits = BinaryPrimitives.ReadUInt16LittleEndian(content[14..]);
            return format is Pcm or Float or ALaw or MuLaw && bits is 8 or 16 or 24 or 32 or 64 && channels * samples > 0
                ? channels * samples * bits / 8
                : null;
        }
        return null;
    }

    /// <summary>Null when the file is no MP3: it needs two frames in a row, or one that is the whole file.</summary>
    static long? Mp3Seconds(ReadOnlySpan<byte> file)
    {
        if (file.StartsWith("ID3"u8) && file.Length > Id3Header)
        {
            var tag = Id3Header + ((file[6] & 0x7F) << 21 | (file[7] & 0x7F) << 14 | (file[8] & 0x7F) << 7 | (file[9] & 0x7F));
            file = file[Math.Min(file.Length, tag)..];
        }
        var first = Frame(file).Bytes;
        if (first == 0 || first > file.Length || (first < file.Length && Frame(file[first..]).Bytes == 0))
            return null;
        var nanos = 0L;
        while (!file.IsEmpty)
        {
            var (bytes, length) = Frame(file);
            nanos += length;
            file = file[Math.Min(file.Length, Math.Max(1, bytes))..];
        }
        return DividedUp(nanos, 1_000_000_000);
    }

    // In kbit/s, by four bits of the header: MPEG-1, and the two later versions.
    static ReadOnlySpan<short> Rates1 => [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];
    static ReadOnlySpan<short> Rates2 => [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0];
    static ReadOnlySpan<int> Samplings => [44_100, 48_000, 32_000, 0];

    /// <summary>A frame of layer III with a stated rate; zeros when there is none.</summary>
    static (int Bytes, long Nanos) Frame(ReadOnlySpan<byte> at)
    {
        if (at.Length < 4)
            return default;
        var header = BinaryPrimitives.ReadUInt32BigEndian(at);
        var (version, layer) = ((int)(header >> 19) & 3, (int)(header >> 17) & 3);
        if (header >> 21 != 0x7FF || version == 1 || layer != 1)
            return default;
        var isFirst = version == 3;
        var rate = (isFirst ? Rates1 : Rates2)[(int)(header >> 12) & 15];
        var sampling = Samplings[(int)(header >> 10) & 3] >> (isFirst ? 0 : version == 2 ? 1 : 2);
        if (rate == 0 || sampling == 0)
            return default;
        var samples = isFirst ? 1152 : 576;
        return ((samples / 8 * rate * 1000 / sampling) + ((int)(header >> 9) & 1), samples * 1_000_000_000L / sampling);
    }
}
