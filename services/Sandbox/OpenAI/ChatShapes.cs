using System.Buffers;
using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>An answer in the bytes of OpenAI's chat completions.</summary>
public static class ChatShapes
{
    /// <summary>2025-01-01, in Unix seconds: fixed, so that the same request gets the same bytes.</summary>
    public const long Created = 1_735_689_600;

    /// <summary>The body of an answer that is not streamed.</summary>
    public static byte[] Whole(string model, Answer answer, Behaviour behaviour) => Write(json =>
    {
        json.WriteStartObject();
        WriteHead(json, "chat.completion", model, answer);
        json.WriteStartArray("choices");
        for (var index = 0; index < answer.Choices.Count; index++)
        {
            WriteChoice(json, index, answer.Choices[index]);
        }
        json.WriteEndArray();
        if (answer.Usage.As(behaviour.Usage) is [.., var usage])
        {
            WriteUsage(json, usage);
        }
        json.WriteEndObject();
    });

    /// <summary>
    /// The events of a streamed answer: the role of each choice, then a token of each in turn, their ends, the usage if it is asked for,
    /// and the end marker.
    /// </summary>
    public static IEnumerable<StreamEvent> Stream(ChatRequest request, Answer answer, Behaviour behaviour)
    {
        var showsUsage = request.IncludesUsage && behaviour.Usage != UsageReport.None;
        foreach (var (choice, index) in answer.Choices.Select((choice, index) => (choice, index)))
        {
            yield return Chunk(index, null, 0, delta => WriteRole(delta, choice));
        }
        foreach (var (index, (tokens, delta)) in InTurn.Of([.. answer.Choices.Select(choice => Deltas(choice, behaviour))]))
        {
            yield return Chunk(index, null, tokens, delta);
        }
        foreach (var (choice, index) in answer.Choices.Select((choice, index) => (choice, index)))
        {
            yield return Chunk(index, choice.Finish, 0, _ => { });
        }
        foreach (var usage in showsUsage ? answer.Usage.As(behaviour.Usage) : [])
        {
            yield return new(Frame(json => WriteUsageChunk(json, request.Question.Model, answer, usage)), 0);
        }
        if (!behaviour.OmitsDone)
        {
            yield return new("data: [DONE]\n\n"u8.ToArray(), 0);
        }

        StreamEvent Chunk(int index, Finish? finish, int tokens, Action<Utf8JsonWriter> delta) => new(
            Frame(json => WriteChunk(json, request.Question.Model, answer, showsUsage, index, finish, delta)), tokens);
    }

    /// <summary>What a choice adds, step by step, and whether a step completes a token.</summary>
    static IEnumerable<(int Tokens, Action<Utf8JsonWriter> Delta)> Deltas(Choice choice, Behaviour behaviour)
    {
        foreach (var thought in choice.Thoughts)
        {
            yield return (1, delta => delta.WriteText("reasoning_content", thought));
        }
        foreach (var token in choice.Text)
        {
            yield return (1, delta => delta.WriteText("content", token));
        }
        foreach (var (index, piece) in InTurn.OfCalls(choice.ToolCalls, behaviour.Interleaves))
        {
            yield return (piece.Tokens, delta => WriteToolDelta(delta, index, piece.Begins, piece.Arguments));
        }
    }

    static void WriteChoice(Utf8JsonWriter json, int index, Choice choice)
    {
        json.WriteStartObject();
        json.WriteNumber("index", index);
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        WriteContent(json, choice, string.Concat(choice.Text));
        if (choice.Thoughts.Count > 0)
        {
            json.WriteText("reasoning_content", string.Concat(choice.Thoughts));
        }
        if (choice.ToolCalls.Count > 0)
        {
            json.WriteStartArray("tool_calls");
            foreach (var call in choice.ToolCalls)
            {
                json.WriteStartObject();
                WriteFunction(json, call, string.Concat(call.Arguments));
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteNull("refusal");
        json.WriteStartArray("annotations");
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteNull("logprobs");
        json.WriteString("finish_reason", Name(choice.Finish));
        json.WriteEndObject();
    }

    static void WriteChunk(
        Utf8JsonWriter json, string model, Answer answer, bool showsUsage, int index, Finish? finish, Action<Utf8JsonWriter> delta)
    {
        json.WriteStartObject();
        WriteHead(json, "chat.completion.chunk", model, answer);
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", index);
        json.WriteStartObject("delta");
        delta(json);
        json.WriteEndObject();
        json.WriteNull("logprobs");
        json.WriteString("finish_reason", finish is { } reason ? Name(reason) : null);
        json.WriteEndObject();
        json.WriteEndArray();
        if (showsUsage)
        {
            json.WriteNull("usage");
        }
        json.WriteEndObject();
    }

    static void WriteUsageChunk(Utf8JsonWriter json, string model, Answer answer, Usage usage)
    {
        json.WriteStartObject();
        WriteHead(json, "chat.completion.chunk", model, answer);
        json.WriteStartArray("choices");
        json.WriteEndArray();
        WriteUsage(json, usage);
        json.WriteEndObject();
    }

    static void WriteHead(Utf8JsonWriter json, string kind, string model, Answer answer)
    {
        json.WriteString("id", "chatcmpl-" + answer.Fingerprint[..29]);
        json.WriteString("object", kind);
        json.WriteNumber("created", Created);
        json.WriteText("model", model);
        json.WriteString("service_tier", "default");
        json.WriteString("system_fingerprint", "fp_sandbox");
    }

    static void WriteRole(Utf8JsonWriter json, Choice choice)
    {
        json.WriteString("role", "assistant");
        WriteContent(json, choice, "");
        json.WriteNull("refusal");
    }

    static void WriteContent(Utf8JsonWriter json, Choice choice, string text)
    {
        if (choice.ToolCalls.Count > 0)
        {
            json.WriteNull("content");
            return;
        }
        json.WriteText("content", text);
    }

    /// <summary>The first piece of a call has its id and name, the others only arguments.</summary>
    static void WriteToolDelta(Utf8JsonWriter json, int index, ToolCall? call, string arguments)
    {
        json.WriteStartArray("tool_calls");
        json.WriteStartObject();
        json.WriteNumber("index", index);
        WriteFunction(json, call, arguments);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    static void WriteFunction(Utf8JsonWriter json, ToolCall? call, string arguments)
    {
        if (call is not null)
        {
            json.WriteString("id", call.Id);
            json.WriteString("type", "function");
        }
        json.WriteStartObject("function");
        if (call is not null)
        {
            json.WriteText("name", call.Name);
        }
        json.WriteText("arguments", arguments);
        json.WriteEndObject();
    }

    static void WriteUsage(Utf8JsonWriter json, Usage usage)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", usage.Prompt);
        json.WriteNumber("completion_tokens", usage.Completion);
        json.WriteNumber("total_tokens", usage.Total);
        json.WriteStartObject("prompt_tokens_details");
        json.WriteNumber("cached_tokens", usage.Cached);
        json.WriteNumber("audio_tokens", 0);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details");
        json.WriteNumber("reasoning_tokens", usage.Thoughts);
        json.WriteNumber("audio_tokens", 0);
        json.WriteNumber("accepted_prediction_tokens", 0);
        json.WriteNumber("rejected_prediction_tokens", 0);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static string Name(Finish finish) => finish switch
    {
        Finish.Length => "length",
        Finish.ToolCalls => "tool_calls",
        _ => "stop",
    };

    static byte[] Frame(Action<Utf8JsonWriter> write) => [.. "data: "u8, .. Write(write), .. "\n\n"u8];

    static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            write(json);
        }
        return buffer.WrittenSpan.ToArray();
    }
}
