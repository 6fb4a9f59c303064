namespace LlmGateway.Proxy.Translation;

/// <summary>
/// What an answer is made of, in no wire's words and in the order in which it happens. A stream gives events piece by piece, a whole answer all at once:
/// <code>
///   Start (Text | Reasoning | Signature | Refusal | ToolCall ToolArguments*)* Finish, Usage anywhere and as often as the provider repeats it, Error at any time
/// </code>
/// </summary>
/// <param name="Index">Which tool call, counted from 0 in this answer: arguments of several calls may come interleaved. 0 for everything else.</param>
/// <param name="Text">The words, a piece of a call's arguments, a tool's name, the error's message.</param>
/// <param name="Id">The answer's id at the start, a tool call's id.</param>
/// <param name="Signature">With a tool call: what the provider wants back with it.</param>
public readonly record struct AnswerEvent(
    AnswerEventKind Kind, string? Text = null, int Index = 0, string? Id = null, StopReason Stop = StopReason.End, ProviderUsage? Usage = null, string? Signature = null)
{
    public static AnswerEvent Words(string text) => new(AnswerEventKind.Text, text);
    public static AnswerEvent Call(int index, string id, string name, string? signature = null) => new(AnswerEventKind.ToolCall, name, index, id, Signature: signature);
    public static AnswerEvent Arguments(int index, string piece) => new(AnswerEventKind.ToolArguments, piece, index);
    public static AnswerEvent Finished(StopReason stop, string? sequence = null) => new(AnswerEventKind.Finish, sequence, Stop: stop);
    public static AnswerEvent Used(ProviderUsage usage) => new(AnswerEventKind.Usage, Usage: usage);
}

public enum AnswerEventKind
{
    Start, Text, Reasoning,
    /// <summary>The provider's seal under the thoughts before it.</summary>
    Signature,
    Refusal, ToolCall, ToolArguments, Finish, Usage, Error,
}

/// <summary>Why an answer ended.</summary>
public enum StopReason
{
    /// <summary>The model had said everything.</summary>
    End,
    /// <summary>The output limit.</summary>
    Length,
    /// <summary>Tools are to be called.</summary>
    ToolCalls,
    /// <summary>One of the caller's stop sequences; the event's text says which, where the provider does.</summary>
    StopSequence,
    /// <summary>The provider withheld the rest.</summary>
    Filtered,
}
