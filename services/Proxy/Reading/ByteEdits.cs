namespace LlmGateway.Proxy;

/// <summary>
/// Replacements at remembered offsets of a text. The caller's bytes reach the provider unchanged except where they must differ: numbers
/// keep their digits, members their order, and unknown fields survive.
/// </summary>
public sealed class ByteEdits
{
    /// <summary>A request has no more, as a rule.</summary>
    const int FewEdits = 6;

    // In the order of their offsets.
    readonly List<(int Start, int Length, ReadOnlyMemory<byte> Text)> _edits = new(FewEdits);

    public bool IsEmpty => _edits.Count == 0;

    /// <summary>Replaces <paramref name="length"/> bytes by a text. Insertions at one offset stay in the order of the calls.</summary>
    /// <exception cref="InvalidOperationException">Two edits overlap.</exception>
    public void Replace(int start, int length, ReadOnlyMemory<byte> text)
    {
        var place = _edits.Count;
        while (place > 0 && _edits[place - 1].Start > start)
            place--;
        var overlaps = (place > 0 && _edits[place - 1].Start + _edits[place - 1].Length > start)
            || (place < _edits.Count && start + length > _edits[place].Start);
        if (overlaps)
            throw new InvalidOperationException($"edits overlap at byte {start}");
        _edits.Insert(place, (start, length, text));
    }

    public void Insert(int start, ReadOnlyMemory<byte> text) => Replace(start, 0, text);

    /// <summary>The length of a source of <paramref name="length"/> bytes after the edits.</summary>
    public int LengthAfter(int length)
    {
        foreach (var edit in _edits)
            length += edit.Text.Length - edit.Length;
        return length;
    }

    /// <summary>Writes the edited source; <paramref name="destination"/> needs <see cref="LengthAfter"/> bytes.</summary>
    public void Apply(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        var done = 0;
        foreach (var edit in _edits)
        {
            var kept = source[done..edit.Start];
            kept.CopyTo(destination);
            edit.Text.Span.CopyTo(destination[kept.Length..]);
            destination = destination[(kept.Length + edit.Text.Length)..];
            done = edit.Start + edit.Length;
        }
        source[done..].CopyTo(destination);
    }

    public byte[] Apply(ReadOnlySpan<byte> source)
    {
        var result = new byte[LengthAfter(source.Length)];
        Apply(source, result);
        return result;
    }
}
