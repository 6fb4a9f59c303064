namespace LlmGateway.Contracts.Expressions;

/// <summary>Why an expression is not taken.</summary>
/// <param name="Offset">The number of characters before the place.</param>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1, in characters.</param>
/// <param name="Message">What is there and what is expected.</param>
/// <param name="Hint">What to write instead, where that is known.</param>
public sealed record ExpressionError(int Offset, int Line, int Column, string Message, string? Hint)
{
    internal static ExpressionError At(string source, int offset, string message, string? hint = null)
    {
        var before = source.AsSpan(0, Math.Clamp(offset, 0, source.Length));
        return new(before.Length, before.Count('\n') + 1, before.Length - before.LastIndexOf('\n'), message, hint);
    }

    /// <summary>Names the word that was probably meant; null when none is close.</summary>
    internal static string? Nearest(string word, IEnumerable<string> known)
    {
        var (nearest, distance) = ((string?)null, Math.Min(word.Length, 3));
        foreach (var candidate in known)
            if (Distance(word, candidate) is var found && found < distance)
                (nearest, distance) = (candidate, found);
        return nearest is null ? null : $"Did you mean '{nearest}'?";
    }

    /// <summary>How many letters must be changed, added or removed. Words are short, because sources are.</summary>
    static int Distance(string from, string to)
    {
        if (Math.Abs(from.Length - to.Length) > 2)
            return int.MaxValue;
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        for (var i = 1; i <= from.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= to.Length; j++)
            {
                var isSame = char.ToLowerInvariant(from[i - 1]) == char.ToLowerInvariant(to[j - 1]);
                (diagonal, row[j]) = (row[j], Math.Min(diagonal + (isSame ? 0 : 1), Math.Min(row[j], row[j - 1]) + 1));
            }
        }
        return row[^1];
    }

    public override string ToString() => $"line {Line}, column {Column}: {Message}{(Hint is null ? "" : $" {Hint}")}";
}
