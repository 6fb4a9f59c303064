using System.Text;

namespace LlmGateway.Faults;

[Flags]
enum Way { Neither = 0, ToServer = 1, ToClient = 2, Both = ToServer | ToClient }

/// <summary>
/// What a <see cref="FaultProxy"/> does to the bytes that pass. Breaking means: the client's connection ends, by a reset (RST) or properly
/// (FIN).
/// </summary>
sealed record Fault
{
    public static readonly Fault None = new();

    /// <summary>Nobody listens.</summary>
    public static readonly Fault Refused = new() { Refuses = true };

    /// <summary>A connection is reset as soon as it is there.</summary>
    public static readonly Fault ResetOnAccept = new() { ResetsOnAccept = true };

    /// <summary>Everything is taken and nothing passed on.</summary>
    public static readonly Fault BlackHole = new() { Swallows = Way.Both };

    /// <summary>What the client sends arrives; no answer comes back.</summary>
    public static readonly Fault NoAnswer = new() { Swallows = Way.ToClient };

    /// <summary>One byte at a time.</summary>
    public static readonly Fault ByteByByte = new() { PieceBytes = 1 };

    public static Fault CutAfter(long bytes, Way way = Way.ToClient) => new() { BreaksIn = way, AfterBytes = bytes };

    /// <summary>Breaks behind a text's given occurrence, which still passes.</summary>
    public static Fault CutAt(string pattern, int occurrence = 1, Way way = Way.ToClient) =>
        new() { BreaksIn = way, Pattern = Encoding.UTF8.GetBytes(pattern), Occurrence = occurrence };

    /// <summary>So many bytes each time, and a pause before each: latency, or a narrow line.</summary>
    public static Fault Slow(TimeSpan latency, int pieceBytes = int.MaxValue) => new() { Latency = latency, PieceBytes = pieceBytes };

    public bool Refuses { get; init; }
    public bool ResetsOnAccept { get; init; }
    public Way Swallows { get; init; }
    public TimeSpan Latency { get; init; }
    public int PieceBytes { get; init; } = int.MaxValue;
    public Way BreaksIn { get; init; }
    public long AfterBytes { get; init; }
    public byte[] Pattern { get; init; } = [];
    public int Occurrence { get; init; } = 1;

    /// <summary>Connections that it breaks; those that come later pass unharmed.</summary>
    public int Times { get; init; } = int.MaxValue;

    /// <summary>Breaks by RST, which may overtake bytes sent before; otherwise by FIN.</summary>
    public bool Resets { get; init; } = true;
}
