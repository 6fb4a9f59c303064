using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;

namespace LlmGateway.Contracts;

/// <summary>
/// A settlement as it stands in the spool and travels to the ledger. It is encoded once and copied from then on. Four bytes of length,
/// little endian, precede a version and the fields in a fixed order. A newer version only adds fields at the end, so that an older reader
/// reads all that it knows. A record has the lowest of these versions that can express it, so that a field that is not needed takes no
/// room.
/// </summary>
public static class SettlementRecord
{
    /// <summary>
    /// Version 2 added the request that a failed attempt belongs to. Version 3 added the span of a request whose trace is recorded. Version
    /// 4 added what was used beyond the hold and what is due; version 5 is version 4 with the span, which is always last. Version 6 added
    /// windows; version 7 is version 6 with the span. Version 8 added what becomes of the request's key; version 9 is version 8 with the
    /// span. Version 10 added the types of call credits; version 11 is version 10 with the span.
    /// </summary>
    const byte Plain = 2, PlainTraced = 3, Claim = 4, ClaimTraced = 5, Windows = 6, WindowsTraced = 7, Keyed = 8, KeyedTraced = 9,
        Credits = 10, CreditsTraced = 11;

    const int TraceIdBytes = 16, SpanIdBytes = 8, TraceBytes = TraceIdBytes + SpanIdBytes + 1;

    public const int HeadBytes = 4;

    const int IdBytes = 16;

    /// <summary>The record, valid until the next call on this thread.</summary>
    /// <param name="span">The request's span. It is default when its trace is not recorded.</param>
    public static ReadOnlySpan<byte> Encode(Settlement settlement, in ActivityContext span = default)
    {
        var traced = (span.TraceFlags & ActivityTraceFlags.Recorded) != 0;
        var version = LowestOf(settlement);
        if (traced)
            version++;
        var writer = new Writer();
        writer.Next(HeadBytes);
        writer.Write(version);
        Write(ref writer, settlement);
        if (version >= Claim)
            WriteClaim(ref writer, settlement);
        if (version >= Windows)
            WriteWindows(ref writer, settlement);
        if (version >= Keyed)
            writer.Write((byte)settlement.Key);
        if (version >= Credits)
            WriteCredits(ref writer, settlement);
        if (traced)
            Write(ref writer, span);
        BinaryPrimitives.WriteInt32LittleEndian(writer.Written, writer.Written.Length - HeadBytes);
        return writer.Written;
    }

    /// <summary>
    /// Length of the record at the start of <paramref name="bytes"/>, its head included. It is 0 when no whole record stands there.
    /// </summary>
    public static int LengthOf(ReadOnlySpan<byte> bytes) => LengthOf(bytes, bytes.Length);

    /// <summary>The same of bytes that have not been read yet, but for the record's head.</summary>
    public static int LengthOf(ReadOnlySpan<byte> head, int all)
    {
        if (head.Length < HeadBytes)
            return 0;
        var length = BinaryPrimitives.ReadInt32LittleEndian(head);
        return length > 0 && length <= all - HeadBytes ? HeadBytes + length : 0;
    }

    /// <summary>The request of a record. Null when the record is too short to have one.</summary>
    public static Guid? IdOf(ReadOnlySpan<byte> record) =>
        record.Length < HeadBytes + 1 + IdBytes ? null : new(record.Slice(HeadBytes + 1, IdBytes));

    /// <summary>Reads one whole record. Throws <see cref="InvalidDataException"/> when it is no settlement of a known version.</summary>
    public static Settlement Decode(byte[] bytes, int start, int length)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(bytes, start + HeadBytes, length - HeadBytes));
            return reader.ReadByte() is > 0 and var version
                ? Read(reader, version)
                : throw new InvalidDataException("a settlement of version 0");
        }
        catch (Exception e) when (e is IOException or FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException("not a settlement", e);
        }
    }

    /// <summary>The request's span. It is default when its trace is not recorded, or when we do not know the version.</summary>
    /// <param name="record">One whole record.</param>
    public static ActivityContext SpanOf(ReadOnlySpan<byte> record)
    {
        if (record.Length < HeadBytes + 1 + TraceBytes
            || record[HeadBytes] is not (PlainTraced or ClaimTraced or WindowsTraced or KeyedTraced or CreditsTraced))
            return default;
        var ids = record[^TraceBytes..];
        return new(
            ActivityTraceId.CreateFromBytes(ids[..TraceIdBytes]), ActivitySpanId.CreateFromBytes(ids.Slice(TraceIdBytes, SpanIdBytes)),
            (ActivityTraceFlags)ids[^1], traceState: null, isRemote: true);
    }

    static void Write(ref Writer to, in ActivityContext span)
    {
        span.TraceId.CopyTo(to.Next(TraceIdBytes));
        span.SpanId.CopyTo(to.Next(SpanIdBytes));
        to.Write((byte)span.TraceFlags);
    }

    static void Write(ref Writer to, Settlement settlement)
    {
        var usage = settlement.Usage;
        to.Write(settlement.RequestId);
        to.Write(settlement.Lease);
        to.Write7Bit(settlement.Charges.Count);
        for (var i = 0; i < settlement.Charges.Count; i++)
        {
            to.Write(settlement.Charges[i].Register);
            to.Write(settlement.Charges[i].Value);
        }
        to.Write(usage.Organization);
        to.Write(usage.Project);
        to.Write(usage.Customer);
        to.Write(usage.Credential);
        to.Write(usage.Family);
        to.Write(usage.Test);
        to.WriteText(usage.Endpoint);
        to.WriteText(usage.Model);
        to.WriteText(usage.Provider);
        to.WriteText(usage.UpstreamModel);
        to.Write(usage.PriceVersion);
        to.Write(usage.Stream);
        to.Write(usage.StartedAt.UtcTicks);
        to.Write(usage.DurationMs);
        to.Write(usage.FirstByteMs ?? -1);
        to.Write((short)usage.Status);
        to.Write((byte)usage.Outcome);
        to.Write7Bit(usage.Meters.Count);
        for (var i = 0; i < usage.Meters.Count; i++)
            to.Write7Bit(usage.Meters[i]);
        to.Write(usage.Cost.Nanos);
        to.Write(usage.Estimated);
        to.Write(usage.Reason);
        to.Write(usage.RawUsage);
        to.Write(usage.AttemptOf);
    }

    static byte LowestOf(Settlement settlement)
    {
        for (var i = 0; i < settlement.Charges.Count; i++)
            if (settlement.Charges[i].Denomination is not null)
                return Credits;
        if (settlement.Key != KeyEnd.None)
            return Keyed;
        if (settlement.Windows.Count > 0)
            return Windows;
        if (settlement.Due is not null)
            return Claim;
        for (var i = 0; i < settlement.Charges.Count; i++)
            if (settlement.Charges[i].Beyond != 0)
                return Claim;
        return Plain;
    }

    static void WriteClaim(ref Writer to, Settlement settlement)
    {
        for (var i = 0; i < settlement.Charges.Count; i++)
            to.Write7Bit(settlement.Charges[i].Beyond);
        to.Write(settlement.Due ?? -1);
    }

    static void WriteWindows(ref Writer to, Settlement settlement)
    {
        to.Write7Bit(settlement.Windows.Count);
        for (var i = 0; i < settlement.Windows.Count; i++)
            to.Write(settlement.Windows[i]);
    }

    static void WriteCredits(ref Writer to, Settlement settlement)
    {
        for (var i = 0; i < settlement.Charges.Count; i++)
            to.Write(settlement.Charges[i].Denomination);
    }

    static Settlement Read(BinaryReader from, byte version) => ReadFields(from, version) is var settlement && GivesNothing(settlement)
        ? settlement
        : throw new InvalidDataException("a settlement with an amount below zero");

    /// <summary>A request uses something or nothing. Whatever is below zero would give a register something.</summary>
    static bool GivesNothing(Settlement settlement)
    {
        foreach (var charge in settlement.Charges)
            if (charge.Value < 0 || charge.Beyond < 0 || charge.Beyond > charge.Value)
                return false;
        foreach (var units in settlement.Usage.Meters)
            if (units < 0)
                return false;
        return settlement.Usage.Cost.Nanos >= 0;
    }

    static Settlement ReadFields(BinaryReader from, byte version)
    {
        var settlement = new Settlement(
            ReadId(from),
            ReadOptionalId(from),
            [.. Enumerable.Range(0, ReadCount(from)).Select(_ => new Charge(ReadId(from), from.ReadInt64()))],
            ReadUsage(from, version));
        if (version < Claim)
            return settlement;
        settlement = settlement with
        {
            Charges = [.. settlement.Charges.Select(charge => charge with { Beyond = from.Read7BitEncodedInt64() })],
            Due = from.ReadInt64() is >= 0 and var due ? due : null,
            Windows = version < Windows ? [] : [.. Enumerable.Range(0, ReadCount(from)).Select(_ => ReadId(from))],
            Key = version < Keyed ? KeyEnd.None : ReadKey(from),
        };
        return version < Credits ? settlement : settlement with
        {
            Charges = [.. settlement.Charges.Select(charge => charge with { Denomination = ReadOptionalId(from) })],
        };
    }

    static KeyEnd ReadKey(BinaryReader from) => (KeyEnd)from.ReadByte() is var key && Enum.IsDefined(key)
        ? key
        : throw new InvalidDataException($"a settlement whose key ends as {key}");

    static UsageRecord ReadUsage(BinaryReader from, byte version) => new(
        ReadId(from), ReadId(from), ReadOptionalId(from), ReadId(from), ReadOptionalId(from), from.ReadBoolean(),
        from.ReadString(), from.ReadString(), from.ReadString(), from.ReadString(), ReadOptionalId(from), from.ReadBoolean(),
        new DateTimeOffset(from.ReadInt64(), TimeSpan.Zero),
        from.ReadInt32(),
        from.ReadInt32() is >= 0 and var firstByte ? firstByte : null,
        from.ReadInt16(), (RequestOutcome)from.ReadByte(), ReadMeters(from), new Money(from.ReadInt64()), from.ReadBoolean(),
        ReadText(from), ReadText(from),
        version < 2 ? null : ReadOptionalId(from));

    static long[] ReadMeters(BinaryReader from)
    {
        var meters = new long[ReadCount(from)];
        for (var i = 0; i < meters.Length; i++)
            meters[i] = from.Read7BitEncodedInt64();
        return meters;
    }

    /// <summary>
    /// A record is small, so a count that its bytes cannot hold is none. An array of that length would take the memory first.
    /// </summary>
    static int ReadCount(BinaryReader from) => from.Read7BitEncodedInt() is var count && count >= 0 && count <= from.BaseStream.Length
        ? count
        : throw new InvalidDataException($"a settlement of {count} charges or meters");

    static Guid ReadId(BinaryReader from)
    {
        Span<byte> bytes = stackalloc byte[16];
        from.ReadExactly(bytes);
        return new Guid(bytes);
    }

    static Guid? ReadOptionalId(BinaryReader from) => ReadId(from) is var id && id == Guid.Empty ? null : id;

    static string? ReadText(BinaryReader from) => from.ReadBoolean() ? from.ReadString() : null;

    /// <summary>
    /// Writes what <see cref="BinaryReader"/> reads. Each request makes two records, so there is no stream in between, and each thread has
    /// one buffer.
    /// </summary>
    ref struct Writer()
    {
        [ThreadStatic] static byte[]? t_buffer;

        byte[] _buffer = t_buffer ??= new byte[1024];
        int _length;

        public readonly Span<byte> Written => _buffer.AsSpan(0, _length);

        public Span<byte> Next(int bytes)
        {
            if (_buffer.Length - _length < bytes)
            {
                Array.Resize(ref _buffer, 2 * (_length + bytes));
                t_buffer = _buffer;
            }
            _length += bytes;
            return _buffer.AsSpan(_length - bytes, bytes);
        }

        public void Write(byte value) => Next(1)[0] = value;

        public void Write(bool value) => Write((byte)(value ? 1 : 0));

        public void Write(short value) => BinaryPrimitives.WriteInt16LittleEndian(Next(2), value);

        public void Write(int value) => BinaryPrimitives.WriteInt32LittleEndian(Next(4), value);

        public void Write(long value) => BinaryPrimitives.WriteInt64LittleEndian(Next(8), value);

        /// <summary>An absent id is written as zeros, which no id consists of.</summary>
        public void Write(Guid? id) => id.GetValueOrDefault().TryWriteBytes(Next(16));

        public void Write7Bit(long value)
        {
            var rest = (ulong)value;
            for (; rest > 0x7F; rest >>= 7)
                Write((byte)(rest & 0x7F | 0x80));
            Write((byte)rest);
        }

        public void WriteText(string text)
        {
            var bytes = Encoding.UTF8.GetByteCount(text);
            Write7Bit(bytes);
            Encoding.UTF8.GetBytes(text, Next(bytes));
        }

        public void Write(string? text)
        {
            Write(text is not null);
            if (text is not null)
                WriteText(text);
        }
    }
}
