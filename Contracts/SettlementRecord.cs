using System.Buffers.Binary;

namespace LlmGateway.Contracts;

/// <summary>
/// A settlement as it stands in the spool and travels to the ledger: written once, copied from then on. Four bytes of length, little endian, then a
/// version and the fields in a fixed order. A newer version only ever adds fields at the end.
/// </summary>
public static class SettlementRecord
{
    const byte Version = 1;

    public const int HeadBytes = 4;

    [ThreadStatic] static BinaryWriter? t_writer;

    /// <summary>The record, valid until the next call on this thread.</summary>
    public static ReadOnlySpan<byte> Encode(Settlement settlement)
    {
        var writer = t_writer ??= new BinaryWriter(new MemoryStream(1024));
        var stream = (MemoryStream)writer.BaseStream;
        stream.SetLength(HeadBytes);
        stream.Position = HeadBytes;
        Write(writer, settlement);
        var record = stream.GetBuffer().AsSpan(0, (int)stream.Length);
        BinaryPrimitives.WriteInt32LittleEndian(record, record.Length - HeadBytes);
        return record;
    }

    /// <summary>Length of the record that <paramref name="bytes"/> begin with, its head included; 0 when no whole record stands there.</summary>
    public static int LengthOf(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeadBytes)
            return 0;
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        return length > 0 && length <= bytes.Length - HeadBytes ? HeadBytes + length : 0;
    }

    /// <summary>Reads one whole record. Throws <see cref="InvalidDataException"/> when it is no settlement of a version that we know.</summary>
    public static Settlement Decode(byte[] bytes, int start, int length)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(bytes, start + HeadBytes, length - HeadBytes));
            return reader.ReadByte() >= Version ? Read(reader) : throw new InvalidDataException("a settlement of version 0");
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException or ArgumentException)
        {
            throw new InvalidDataException("not a settlement", e);
        }
    }

    static void Write(BinaryWriter to, Settlement settlement)
    {
        var usage = settlement.Usage;
        to.Write(Version);
        Write(to, settlement.RequestId);
        Write(to, settlement.Lease);
        to.Write7BitEncodedInt(settlement.Charges.Count);
        foreach (var charge in settlement.Charges)
        {
            Write(to, charge.Register);
            to.Write(charge.Value);
        }
        Write(to, usage.Organization);
        Write(to, usage.Project);
        Write(to, usage.Customer);
        Write(to, usage.Credential);
        Write(to, usage.Family);
        to.Write(usage.Test);
        to.Write(usage.Endpoint);
        to.Write(usage.Model);
        to.Write(usage.Provider);
        to.Write(usage.UpstreamModel);
        Write(to, usage.PriceVersion);
        to.Write(usage.Stream);
        to.Write(usage.StartedAt.UtcTicks);
        to.Write(usage.DurationMs);
        to.Write(usage.FirstByteMs ?? -1);
        to.Write((short)usage.Status);
        to.Write((byte)usage.Outcome);
        to.Write7BitEncodedInt(usage.Meters.Count);
        foreach (var units in usage.Meters)
            to.Write7BitEncodedInt64(units);
        to.Write(usage.Cost.Nanos);
        to.Write(usage.Estimated);
        Write(to, usage.Reason);
        Write(to, usage.RawUsage);
    }

    static Settlement Read(BinaryReader from) => new(
        ReadId(from), ReadOptionalId(from), [.. Enumerable.Range(0, from.Read7BitEncodedInt()).Select(_ => new Amount(ReadId(from), from.ReadInt64()))], ReadUsage(from));

    static UsageRecord ReadUsage(BinaryReader from) => new(
        ReadId(from), ReadId(from), ReadOptionalId(from), ReadId(from), ReadOptionalId(from), from.ReadBoolean(),
        from.ReadString(), from.ReadString(), from.ReadString(), from.ReadString(), ReadOptionalId(from), from.ReadBoolean(),
        new DateTimeOffset(from.ReadInt64(), TimeSpan.Zero), from.ReadInt32(), from.ReadInt32() is >= 0 and var firstByte ? firstByte : null,
        from.ReadInt16(), (RequestOutcome)from.ReadByte(), ReadMeters(from), new Money(from.ReadInt64()), from.ReadBoolean(), ReadText(from), ReadText(from));

    static long[] ReadMeters(BinaryReader from)
    {
        var meters = new long[from.Read7BitEncodedInt()];
        for (var i = 0; i < meters.Length; i++)
            meters[i] = from.Read7BitEncodedInt64();
        return meters;
    }

    /// <summary>An id that is absent is written as zeros, which no id is.</summary>
    static void Write(BinaryWriter to, Guid? id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.GetValueOrDefault().TryWriteBytes(bytes);
        to.Write(bytes);
    }

    static Guid ReadId(BinaryReader from)
    {
        Span<byte> bytes = stackalloc byte[16];
        from.ReadExactly(bytes);
        return new Guid(bytes);
    }

    static Guid? ReadOptionalId(BinaryReader from) => ReadId(from) is var id && id == Guid.Empty ? null : id;

    static void Write(BinaryWriter to, string? text)
    {
        to.Write(text is not null);
        if (text is not null)
            to.Write(text);
    }

    static string? ReadText(BinaryReader from) => from.ReadBoolean() ? from.ReadString() : null;
}
