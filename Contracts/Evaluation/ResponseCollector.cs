using System.Buffers;

namespace LlmGateway.Contracts.Expressions;

/// <summary>
/// Watches a response pass and keeps what an expression needs of it, whatever the pieces. What is larger than its bound is marked, so that
/// an expression that reads it fails.
/// </summary>
public sealed class ResponseCollector(Needs needs)
{
    /// <summary>Longest response that is kept whole.</summary>
    public const int MaxWholeBytes = 4 * 1024 * 1024;

    /// <summary>Larger events and lines are counted and not kept.</summary>
    public const int MaxEventBytes = 1024 * 1024;

    readonly EventLines _events = new();
    readonly ArrayBufferWriter<byte> _whole = new();
    readonly LineCounter _lines = new();
    readonly List<KeptEvent> _first = [];

    // The last events, the oldest of which is overwritten by the next.
    readonly KeptEvent[] _last = new KeptEvent[needs.LastEvents];
    readonly KeptEvent _lastData = new();

    bool _hasData;
    long _bytes, _eventCount;

    /// <summary>Takes the next bytes. Never throws.</summary>
    public void Push(ReadOnlySpan<byte> piece)
    {
        _bytes += piece.Length;
        if (needs.Whole && _bytes <= MaxWholeBytes)
            _whole.Write(piece);
        if (needs.Lines)
            _lines.Add(piece);
        if (needs.AnyEvents)
            while (_events.TryRead(ref piece, out var e))
                See(e);
    }

    /// <summary>The response has ended.</summary>
    public KeptResponse End()
    {
        if (needs.AnyEvents && _events.TryReadRest(out var rest))
            See(rest);
        var count = (int)Math.Min(_eventCount, _last.Length);
        return new()
        {
            Bytes = _bytes,
            Whole = _bytes <= MaxWholeBytes ? _whole.WrittenMemory : (ReadOnlyMemory<byte>?)null,
            EventCount = _eventCount,
            First = _first,
            Last = [.. Enumerable.Range(1, count).Select(back => _last[(_eventCount - back) % _last.Length])],
            LastData = _hasData ? _lastData : null,
            Lines = _lines.Lines,
            FilledLines = _lines.FilledLines,
            LastFilledLine = _lines.LastFilledLine,
        };
    }

    /// <summary>How much has come so far, and nothing of what it says. More may be pushed after that.</summary>
    public KeptResponse SoFar =>
        new() { Bytes = _bytes, EventCount = _eventCount, Lines = _lines.Lines, FilledLines = _lines.FilledLines };

    void See(scoped StreamEvent e)
    {
        if (_eventCount < needs.FirstEvents)
        {
            _first.Add(new());
            _first[^1].Take(e);
        }
        if (_last.Length > 0)
            (_last[_eventCount % _last.Length] ??= new()).Take(e);
        if (needs.LastData && e.HasData)
        {
            _lastData.Take(e);
            _hasData = true;
        }
        _eventCount++;
    }
}

/// <summary>A copy of an event, whose buffers are used again for the next one.</summary>
public sealed class KeptEvent
{
    readonly ArrayBufferWriter<byte> _name = new(), _data = new(), _id = new();

    internal bool IsOversize { get; private set; }
    internal ReadOnlyMemory<byte> Name => _name.WrittenMemory;
    internal ReadOnlyMemory<byte> Data => _data.WrittenMemory;
    internal ReadOnlyMemory<byte> Id => _id.WrittenMemory;

    /// <summary>Bytes of all its parts.</summary>
    internal int Length => _name.WrittenCount + _data.WrittenCount + _id.WrittenCount;

    internal void Take(scoped StreamEvent e)
    {
        IsOversize = e.IsOversize;
        Replace(_name, e.Name);
        Replace(_data, e.Data);
        Replace(_id, e.Id);
    }

    static void Replace(ArrayBufferWriter<byte> part, ReadOnlySpan<byte> with)
    {
        part.ResetWrittenCount();
        part.Write(with);
    }
}

/// <summary>What a <see cref="ResponseCollector"/> has kept. Parts that were not asked for are empty.</summary>
public sealed class KeptResponse
{
    public static readonly KeptResponse Nothing = new() { Whole = ReadOnlyMemory<byte>.Empty };

    public long Bytes { get; internal init; }

    /// <summary>Null when it was too large.</summary>
    internal ReadOnlyMemory<byte>? Whole { get; init; }
    internal long EventCount { get; init; }
    internal IReadOnlyList<KeptEvent> First { get; init; } = [];

    /// <summary>The last one first.</summary>
    internal IReadOnlyList<KeptEvent> Last { get; init; } = [];
    internal KeptEvent? LastData { get; init; }
    internal long Lines { get; init; }
    internal long FilledLines { get; init; }

    /// <summary>Empty when there is none; null when it was too large.</summary>
    internal ReadOnlyMemory<byte>? LastFilledLine { get; init; } = ReadOnlyMemory<byte>.Empty;
}
