using System.Text;

namespace LlmGateway.Sandbox;

/// <summary>An answer in the bytes of Gemini's <c>generateContent</c>.</summary>
public static class GenerateShapes
{
    /// <summary>The body of an answer that is not streamed.</summary>
    public static object Whole(Question question, Answer answer, Behaviour behaviour)
    {
        var candidates = answer.Choices.Select((choice, index) => Candidate(index, Parts(choice), choice.Finish)).ToArray();
        return Response(question, answer, candidates, answer.Usage.As(behaviour.Usage) is [.., var usage] ? Metadata(usage) : null);
    }

    /// <summary>
    /// The chunks of a streamed answer: a token of each candidate in turn, whole function calls, then their ends. Each has the usage so
    /// far, as the model reports it.
    /// </summary>
    public static IEnumerable<(object Chunk, int Tokens)> Stream(Question question, Answer answer, Behaviour behaviour)
    {
        var (thoughts, said) = (0, 0);
        foreach (var (index, (part, tokens, isThought)) in InTurn.Of([.. answer.Choices.Select(Steps)]))
        {
            thoughts += isThought ? tokens : 0;
            said += tokens;
            var soFar = answer.Usage with { Completion = said, Thoughts = thoughts };
            var metadata = soFar.As(behaviour.Usage) is [var usage, ..] ? Metadata(usage) : null;
            yield return (Response(question, answer, [Candidate(index, [part], null)], metadata), tokens);
        }
        if (behaviour.OmitsDone)
        {
            yield break;
        }
        var ends = answer.Choices
            .Select((choice, index) => Candidate(index, [new { text = "", thoughtSignature = Signature(choice) }], choice.Finish))
            .ToArray();
        foreach (var usage in answer.Usage.As(behaviour.Usage).Select(Metadata).DefaultIfEmpty())
        {
            yield return (Response(question, answer, ends, usage), 0);
        }
    }

    /// <summary>Chunks as server-sent events, with the line ends that Google sends.</summary>
    public static StreamReply Events(IEnumerable<(object Chunk, int Tokens)> chunks) => new(
        chunks.Select(chunk => new StreamEvent(Event(chunk.Chunk), chunk.Tokens)),
        () => Event(GeminiError.InStream()),
        "text/event-stream");

    /// <summary>Chunks as the elements of one JSON array. An array without end marker is not closed.</summary>
    public static StreamReply Elements(IEnumerable<(object Chunk, int Tokens)> chunks, Behaviour behaviour)
    {
        return new(Array(), () => [.. ",\r\n"u8, .. RawJson.Of(GeminiError.InStream()), .. "]"u8], "application/json; charset=UTF-8");

        IEnumerable<StreamEvent> Array()
        {
            var before = "[";
            foreach (var (chunk, tokens) in chunks)
            {
                yield return new([.. Encoding.UTF8.GetBytes(before), .. RawJson.Of(chunk)], tokens);
                before = ",\r\n";
            }
            if (!behaviour.OmitsDone)
            {
                yield return new("]"u8.ToArray(), 0);
            }
        }
    }

    static byte[] Event(object chunk) => [.. "data: "u8, .. RawJson.Of(chunk), .. "\r\n\r\n"u8];

    static IEnumerable<(object Part, int Tokens, bool IsThought)> Steps(Choice choice) =>
    [
        .. choice.Thoughts.Select(thought => ((object)new { text = thought, thought = true }, 1, true)),
        .. choice.Text.Select(token => ((object)new { text = token }, 1, false)),
        .. choice.ToolCalls.Select(call => (FunctionCall(choice, call), 1 + call.Arguments.Count, false)),
    ];

    static object[] Parts(Choice choice)
    {
        var parts = new List<object>();
        if (choice.Thoughts.Count > 0)
        {
            parts.Add(new { text = string.Concat(choice.Thoughts), thought = true });
        }
        if (choice.Text.Count > 0)
        {
            parts.Add(new { text = string.Concat(choice.Text), thoughtSignature = Signature(choice) });
        }
        parts.AddRange(choice.ToolCalls.Select(call => FunctionCall(choice, call)));
        return [.. parts];
    }

    static object FunctionCall(Choice choice, ToolCall call) =>
        new { functionCall = new { id = call.Id, name = call.Name, args = call.ParsedArguments() }, thoughtSignature = Signature(choice) };

    /// <summary>The signature of the parts after thoughts; null without thoughts.</summary>
    static string? Signature(Choice choice) => choice.Thoughts.Count > 0 ? "c2FuZGJveA==" : null;

    static object Candidate(int index, object[] parts, Finish? finish) => new
    {
        content = new { parts, role = "model" },
        finishReason = finish switch
        {
            null => null,
            Finish.Length => "MAX_TOKENS",
            _ => "STOP",
        },
        index,
    };

    static object Response(Question question, Answer answer, object[] candidates, object? usageMetadata) =>
        new { candidates, usageMetadata, modelVersion = question.Model, responseId = answer.Fingerprint[..22] };

    /// <summary>The prompt includes what came from the cache; the candidates exclude what was thought.</summary>
    static object Metadata(Usage usage) => new
    {
        promptTokenCount = usage.Prompt,
        candidatesTokenCount = usage.Completion - usage.Thoughts,
        totalTokenCount = usage.Total,
        cachedContentTokenCount = usage.Cached == 0 ? (long?)null : usage.Cached,
        promptTokensDetails = new[] { new { modality = "TEXT", tokenCount = usage.Prompt } },
        thoughtsTokenCount = usage.Thoughts == 0 ? (long?)null : usage.Thoughts,
    };
}
