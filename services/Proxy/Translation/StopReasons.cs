using System.Collections.Frozen;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Why answers end, in the words of every wire and of the servers that imitate one. A word means the same on all wires, because servers mix
/// them. A word that is not here is <see cref="StopReason.Failed"/>: nobody can say that such an answer is complete.
/// </summary>
public static class StopReasons
{
    static readonly FrozenDictionary<string, StopReason> Words = new (StopReason Reason, string[] Words)[]
    {
        (StopReason.End,
            ["stop", "end_turn", "end", "eos", "eos_token", "complete", "completed", "finished", "done", "finish_reason_stop"]),
        (StopReason.StopSequence, ["stop_sequence"]),
        (StopReason.Length,
        [
            "length", "max_tokens", "max_output_tokens", "max_completion_tokens", "max_length", "model_length", "context_length",
            "model_context_window_exceeded", "context_window_exceeded", "context_length_exceeded", "finish_reason_length",
            // Anthropic pauses a long turn, which the caller would have to continue.
            "pause_turn",
        ]),
        (StopReason.ToolCalls, ["tool_calls", "tool_call", "tool_use", "function_call", "function_calls", "finish_reason_tool_calls"]),
        (StopReason.Filtered,
        [
            "content_filter", "content_filtered", "refusal", "guardrail_intervened", "sensitive", "model_armor", "safety", "recitation",
            "language", "blocklist", "prohibited_content", "spii", "image_safety", "image_prohibited_content", "image_recitation",
            "image_other", "no_image",
        ]),
    }.SelectMany(row => row.Words, (row, word) => KeyValuePair.Create(word, row.Reason))
        .ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>Null for the words with which servers say in each piece that there is no reason yet.</summary>
    public static StopReason? Of(string word) =>
        word is "" or "null" or "none" or "FINISH_REASON_UNSPECIFIED" ? null : Words.GetValueOrDefault(word, StopReason.Failed);

    /// <summary>The event that ends an answer; null when the word is no end.</summary>
    /// <param name="calls">The answer has tool calls. Some servers say only that it ended, not that it ended with calls.</param>
    /// <param name="detail">What else the provider says: the stop sequence that was reached, or its reason in full.</param>
    public static AnswerEvent? Finish(string word, bool calls = false, string? detail = null) => Of(word) switch
    {
        null => null,
        StopReason.End when calls => AnswerEvent.Finished(StopReason.ToolCalls, detail),
        StopReason.Failed => AnswerEvent.Finished(StopReason.Failed, detail is { Length: > 0 } ? $"{word}: {detail}" : word),
        { } reason => AnswerEvent.Finished(reason, detail),
    };

    /// <summary>The word of each wire. The Responses wire names only why an answer is incomplete.</summary>
    public static (string Chat, string Messages, string Gemini, string? Responses) WordsOf(StopReason stop) => stop switch
    {
        StopReason.Length => ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens"),
        StopReason.ToolCalls => ("tool_calls", "tool_use", "STOP", null),
        StopReason.StopSequence => ("stop", "stop_sequence", "STOP", null),
        StopReason.Filtered => ("content_filter", "refusal", "SAFETY", "content_filter"),
        StopReason.Failed => ("error", "error", "OTHER", "error"),
        _ => ("stop", "end_turn", "STOP", null),
    };
}
