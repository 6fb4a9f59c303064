namespace LlmGateway.Sandbox;

/// <summary>A call that the caller orders.</summary>
/// <param name="Arguments">They need not be valid JSON, as with real models.</param>
public readonly record struct OrderedCall(string Name, string Arguments)
{
    /// <summary>Whether the tool takes a text by itself, which is the member <c>input</c> of <see cref="Arguments"/>.</summary>
    public bool IsText { get; init; }
}

/// <summary>
/// The calls that a conversation orders: the <c>[[tool:NAME {json}]]</c> of the last message of the user that has one. <c>[[then]]</c>
/// parts them into steps. A step is due when the results of the steps before it are there, so that one prompt leads an agent through
/// several rounds.
/// </summary>
public sealed class ToolOrders
{
    const string Opening = "[[tool:";
    const string Closing = "}]]";
    const string Then = "[[then]]";
    const int MaxCalls = 128;

    string order = "";
    int results;

    public void AddUserText(string text)
    {
        if (text.Contains(Opening, StringComparison.Ordinal))
        {
            (order, results) = (text, 0);
        }
    }

    public void AddResults(int count) => results += count;

    /// <summary>Empty when nothing is ordered or all of it has been done.</summary>
    public IReadOnlyList<OrderedCall> Due()
    {
        var left = results;
        foreach (var step in order.Split(Then).Select(ReadCalls))
        {
            // One result is enough for a step: who runs calls in turn may leave out those behind a failed one.
            if (left <= 0)
            {
                return step;
            }
            left -= step.Count;
        }
        return [];
    }

    /// <summary>The arguments of a call end at the first <c>}]]</c>.</summary>
    static List<OrderedCall> ReadCalls(string text)
    {
        var calls = new List<OrderedCall>();
        var position = 0;
        while (calls.Count < MaxCalls)
        {
            var start = text.IndexOf(Opening, position, StringComparison.Ordinal);
            var end = start < 0 ? -1 : text.IndexOf(Closing, start, StringComparison.Ordinal);
            if (end < 0)
            {
                break;
            }
            position = end + 1;
            var call = text[(start + Opening.Length)..position];
            var brace = call.IndexOf('{', StringComparison.Ordinal);
            if (brace > 0)
            {
                calls.Add(new(call[..brace].Trim(), call[brace..]));
            }
        }
        return calls;
    }
}
