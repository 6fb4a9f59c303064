namespace LlmGateway.Proxy.Translation;

/// <summary>
/// The parts of an answer in neutral terms, in the order in which they happen. A stream gives events piece by piece; a whole answer gives
/// all of them at once:
/// <code>
///   Start (Text | Reasoning | Signature | Refusal | Image | ToolCall ToolArguments*)* Finish
///   Usage anywhere, as often as the provider repeats it; Error and Unreadable at any time
/// </code>
/// </summary>
/// <param name="Index">Number of the tool call in this answer, from 0: arguments of several calls may arrive interleaved. 0 for other
/// events.</param>
/// <param name="Text">The words, a piece of a call's arguments, a tool's name, an image in base64 or its address, or the error's
/// message.</param>
/// <param name="Id">The answer's id at the start, a tool call's id, the media type of an image in base64.</param>
/// <param name="Signature">On a tool call: what the provider wants back with it.</param>
public readonly record struct AnswerEvent(
    AnswerEventKind Kind, string? Text = null, int Index = 0, string? Id = null, StopReason Stop = StopReason.End,
        ProviderUsage? Usage = null, string? Signature = null)
{
    /// <summary>On a tool call: the tool, where the caller knows it as something else than a function of this name.</summary>
    public Tool? Tool { get; init; }

    public static AnswerEvent Words(string text) => new(AnswerEventKind.Text, text);
    public static AnswerEvent Call(int index, string id, string name, string? signature = null) =>
        new(AnswerEventKind.ToolCall, name, index, id, Signature: signature);
    public static AnswerEvent Arguments(int index, string piece) => new(AnswerEventKind.ToolArguments, piece, index);
    public static AnswerEvent Finished(StopReason stop, string? sequence = null) => new(AnswerEventKind.Finish, sequence, Stop: stop);
    public static AnswerEvent Unread(string what) => new(AnswerEventKind.Unreadable, what);
    public static AnswerEvent Picture(string? mediaType, string base64OrAddress) =>
        new(AnswerEventKind.Image, base64OrAddress, Id: mediaType);
    public static AnswerEvent Used(ProviderUsage usage) => new(AnswerEventKind.Usage, Usage: usage);
}

public enum AnswerEventKind
{
    Start, Text, Reasoning,
    /// <summary>The provider's signature of the thoughts before it.</summary>
    Signature,
    Refusal, Image, ToolCall, ToolArguments, Finish, Usage, Error,
    /// <summary>A part of the answer that the reader does not know. The text names it. It passes on its own wire and ends a translation.
    /// </summary>
    Unreadable,
}

/// <summary>Why an answer ended.</summary>
public enum StopReason
{
    /// <summary>The model finished its answer.</summary>
    End,
    /// <summary>The answer reached the output limit.</summary>
    Length,
    /// <summary>The model calls tools.</summary>
    ToolCalls,
    /// <summary>The answer reached a stop sequence of the caller. The event's text names it, where the provider does.</summary>
    StopSequence,
    /// <summary>The provider withheld the rest.</summary>
    Filtered,
    /// <summary>The provider could not finish, or gives a reason that is not known. The event's text has its words.</summary>
    Failed,
}
