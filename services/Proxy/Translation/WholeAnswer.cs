using System.Text;

namespace LlmGateway.Proxy.Translation;

/// <summary>An answer assembled from its events, for wires whose whole answers have one place for all of the text.</summary>
/// <param name="Id">The provider's id; null when it gave none.</param>
/// <param name="Text">Null when there is none, as for the other texts.</param>
sealed record WholeAnswer(
    string? Id, string? Text, string? Reasoning, string? Signature, string? Refusal, IReadOnlyList<AnswerEvent> Images,
    IReadOnlyList<ToolCallPart> Calls, StopReason Stop)
{
    /// <summary>The tools of calls that the caller knows as something else than functions.</summary>
    public required IReadOnlyList<Tool?> Tools { get; init; }

    public static WholeAnswer Of(IReadOnlyList<AnswerEvent> events)
    {
        var (text, reasoning, signature, refusal) = (new StringBuilder(), new StringBuilder(), new StringBuilder(), new StringBuilder());
        var calls = new List<(string Id, string Name, string? Signature, Tool? Tool, StringBuilder Arguments)>();
        var images = new List<AnswerEvent>();
        var (id, stop) = ((string?)null, StopReason.End);
        foreach (var e in events)
        {
            switch (e.Kind)
            {
                case AnswerEventKind.Start:
                    id = e.Id;
                    break;
                case AnswerEventKind.Text:
                    text.Append(e.Text);
                    break;
                case AnswerEventKind.Reasoning:
                    reasoning.Append(e.Text);
                    break;
                case AnswerEventKind.Signature:
                    signature.Clear().Append(e.Text);
                    break;
                case AnswerEventKind.Refusal:
                    refusal.Append(e.Text);
                    break;
                case AnswerEventKind.Image:
                    images.Add(e);
                    break;
                case AnswerEventKind.ToolCall:
                    calls.Add((e.Id ?? "", e.Text ?? "", e.Signature, e.Tool, new()));
                    break;
                case AnswerEventKind.ToolArguments:
                    calls[e.Index].Arguments.Append(e.Text);
                    break;
                case AnswerEventKind.Finish:
                    stop = e.Stop;
                    break;
            }
        }
        return new(id, TextOf(text), TextOf(reasoning), TextOf(signature), TextOf(refusal), images,
            [.. calls.Select((call, at) => new ToolCallPart(
                call.Id, call.Name,
                call.Arguments.Length > 0 ? call.Arguments.ToString() : CallArguments.OfNone(stop, at == calls.Count - 1),
                call.Signature))], stop)
        {
            Tools = calls.ConvertAll(call => call.Tool),
        };
    }

    static string? TextOf(StringBuilder text) => text.Length > 0 ? text.ToString() : null;
}
