namespace LlmGateway.Sandbox;

/// <summary>A step of a tool call in a stream. It is the beginning, which is the token of the name, or a piece of the arguments.</summary>
/// <param name="Tokens">How many tokens it completes, 0 or 1.</param>
public readonly record struct ToolPiece(ToolCall? Begins, string Arguments, int Tokens);

/// <summary>The order of what a stream could say at the same time.</summary>
public static class InTurn
{
    /// <summary>Longest piece of a tool call's arguments, in characters.</summary>
    const int ArgumentPiece = 6;

    /// <summary>One step of each in turn, until all are through. Each step comes with the index of its owner.</summary>
    public static IEnumerable<(int Index, T Step)> Of<T>(IReadOnlyList<IEnumerable<T>> all)
    {
        var steps = all.Select(one => one.GetEnumerator()).ToArray();
        for (var moved = true; moved;)
        {
            moved = false;
            for (var index = 0; index < steps.Length; index++)
            {
                if (steps[index].MoveNext())
                {
                    moved = true;
                    yield return (index, steps[index].Current);
                }
            }
        }
    }

    /// <summary>The pieces of tool calls, one call after the other or in turn.</summary>
    public static IEnumerable<(int Index, ToolPiece Piece)> OfCalls(IReadOnlyList<ToolCall> calls, bool interleaved) => interleaved
        ? Of([.. calls.Select(Pieces)])
        : calls.SelectMany((call, index) => Pieces(call).Select(piece => (index, piece)));

    static IEnumerable<ToolPiece> Pieces(ToolCall call)
    {
        yield return new(call, "", 1);
        foreach (var word in call.Arguments)
        {
            for (var start = 0; start < word.Length;)
            {
                var piece = TextPiece(word, start);
                start += piece.Length;
                yield return new(null, piece, start == word.Length ? 1 : 0);
            }
        }
    }

    static string TextPiece(string word, int start)
    {
        var length = Math.Min(ArgumentPiece, word.Length - start);
        // A surrogate pair stays together, because half of it has no UTF-8.
        return word.Substring(start, char.IsHighSurrogate(word[start + length - 1]) && start + length < word.Length ? length + 1 : length);
    }
}
