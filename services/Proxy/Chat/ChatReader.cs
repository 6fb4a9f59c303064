using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// Reads answers of the OpenAI chat wire for callers of other wires. Only the first choice is read, because those callers cannot ask for
/// more. <see cref="ChatRelay"/> handles streams that stay on this wire, so this reader never marks a tail.
/// </summary>
public sealed class ChatReader : AnswerReader
{
    /// <summary>Most calls of one answer that are followed; further ones are left out.</summary>
    const int MaxCalls = 1024;

    // Calls in the order of their start. The place in the list is the event's index.
    readonly List<(int Given, string? Id)> _calls = [];

    bool _started;

    public override StreamPiece Read(scoped SseEvent e, List<AnswerEvent> to)
    {
        if (ChatRelay.IsDoneMark(e.Data))
            IsDone = true;
        else
            Read(e.Data, to);
        return StreamPiece.Plain;
    }

    public override bool ReadWhole(ReadOnlySpan<byte> json, List<AnswerEvent> to) => Read(json, to);

    /// <summary>False when the text contains no answer. Events from before a defect stay.</summary>
    bool Read(ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        var hasAnswer = false;
        try
        {
            var reader = new Utf8JsonReader(json);
            reader.Read();
            if (reader.TokenType == JsonTokenType.StartObject)
                ReadMembers(ref reader, json, ref hasAnswer, to);
            else
                MalformedSeen = true;
            reader.Read();
        }
        catch (JsonException)
        {
            MalformedSeen = true;
            return false;
        }
        return hasAnswer;
    }

    void ReadMembers(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref bool hasAnswer, List<AnswerEvent> to)
    {
        while (reader.NextMember())
        {
            if (reader.Has("choices"u8))
            {
                reader.Read();
                hasAnswer |= ReadChoices(ref reader, to);
            }
            else if (reader.Has("id"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length > 0)
                    Start(ref reader, to);
                reader.StepOver();
            }
            else if (reader.Has("usage"u8))
            {
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                var isNull = reader.TokenType == JsonTokenType.Null;
                reader.StepOver();
                if (!isNull)
                    to.Add(AnswerEvent.Used(ChatUsage.Read(json[start..(int)reader.BytesConsumed])));
            }
            else if (reader.Has("error"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.Null)
                    to.Add(new(AnswerEventKind.Error, ReadErrorMessage(ref reader)));
            }
            else
            {
                reader.Read();
                reader.StepOver();
            }
        }
    }

    void Start(ref Utf8JsonReader reader, List<AnswerEvent> to)
    {
        if (!_started)
            to.Add(new(AnswerEventKind.Start, Id: reader.Text()));
        _started = true;
    }

    bool ReadChoices(ref Utf8JsonReader reader, List<AnswerEvent> to)
    {
        var any = false;
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.StepOver();
            return any;
        }
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject && !any)
            {
                if (!_started)
                    to.Add(new(AnswerEventKind.Start));
                any = _started = true;
                ReadChoice(ref reader, to);
            }
            else
                reader.StepOver();
        }
        return any;
    }

    void ReadChoice(ref Utf8JsonReader reader, List<AnswerEvent> to)
    {
        StopReason? stop = null;
        while (reader.NextMember())
        {
            var (isMessage, isFinish) = (reader.Has("delta"u8) || reader.Has("message"u8), reader.Has("finish_reason"u8));
            reader.Read();
            if (isMessage && reader.TokenType == JsonTokenType.StartObject)
                ReadMessage(ref reader, to);
            else if (isFinish && reader.TokenType == JsonTokenType.String)
                stop = StopOf(ref reader);
            else
                reader.StepOver();
        }
        if (stop is not { } reason)
            return;
        IsFinished = true;
        // Some providers report only that the answer ended, not that it ended with calls.
        to.Add(AnswerEvent.Finished(reason == StopReason.End && _calls.Count > 0 ? StopReason.ToolCalls : reason));
    }

    static StopReason StopOf(ref Utf8JsonReader reader) =>
        reader.Has("length"u8) ? StopReason.Length
        : reader.Has("tool_calls"u8) ? StopReason.ToolCalls
        : reader.Has("content_filter"u8) ? StopReason.Filtered
        : StopReason.End;

    /// <summary>A message or a piece of one. Its members come in any order; its events are ordered as thoughts, words, calls.</summary>
    void ReadMessage(ref Utf8JsonReader reader, List<AnswerEvent> to)
    {
        var first = to.Count;
        string? thought = null, said = null, refused = null;
        while (reader.NextMember())
        {
            if (reader.Has("content"u8))
                said = ReadText(ref reader);
            else if (reader.Has("reasoning_content"u8) || reader.Has("reasoning"u8))
                // Providers that send both members repeat the same text in them.
                thought = ReadText(ref reader) ?? thought;
            else if (reader.Has("refusal"u8))
                refused = ReadText(ref reader);
            else if (reader.Has("tool_calls"u8))
            {
                reader.Read();
                ReadCalls(ref reader, to);
            }
            else
            {
                reader.Read();
                reader.StepOver();
            }
        }
        Insert(to, first, AnswerEventKind.Refusal, refused);
        Insert(to, first, AnswerEventKind.Text, said);
        Insert(to, first, AnswerEventKind.Reasoning, thought);
    }

    static void Insert(List<AnswerEvent> to, int at, AnswerEventKind kind, string? text)
    {
        if (text is { Length: > 0 })
            to.Insert(at, new(kind, text));
    }

    void ReadCalls(ref Utf8JsonReader reader, List<AnswerEvent> to)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.StepOver();
            return;
        }
        for (var place = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; place++)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
                ReadCall(ref reader, place, to);
            else
                reader.StepOver();
        }
    }

    void ReadCall(ref Utf8JsonReader reader, int given, List<AnswerEvent> to)
    {
        string? id = null, name = null, arguments = null;
        while (reader.NextMember())
        {
            var (isIndex, isId, isFunction) = (reader.Has("index"u8), reader.Has("id"u8), reader.Has("function"u8));
            reader.Read();
            if (isIndex && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var index))
                given = index;
            else if (isId && reader.TokenType == JsonTokenType.String)
                id = reader.Text();
            else if (isFunction && reader.TokenType == JsonTokenType.StartObject)
                (name, arguments) = ReadFunction(ref reader);
            else
                reader.StepOver();
        }
        var call = _calls.FindLastIndex(known => known.Given == given);
        // Gemini's imitation of this wire gives every call the index 0. A new id there is a new call.
        if (call < 0 || (id is { Length: > 0 } && _calls[call].Id is { } before && before != id))
        {
            if (name is not { Length: > 0 } || _calls.Count == MaxCalls)
            {
                MalformedSeen = true;
                return;
            }
            call = _calls.Count;
            id = id is { Length: > 0 } ? id : CallIds.New();
            _calls.Add((given, id));
            to.Add(AnswerEvent.Call(call, id, name));
        }
        if (arguments is { Length: > 0 })
            to.Add(AnswerEvent.Arguments(call, arguments));
    }

    static (string? Name, string? Arguments) ReadFunction(ref Utf8JsonReader reader)
    {
        string? name = null, arguments = null;
        while (reader.NextMember())
        {
            if (reader.Has("name"u8))
                name = ReadText(ref reader);
            else if (reader.Has("arguments"u8))
                arguments = ReadText(ref reader);
            else
            {
                reader.Read();
                reader.StepOver();
            }
        }
        return (name, arguments);
    }

    /// <summary>The member's value if it is a text.</summary>
    static string? ReadText(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
            return reader.Text();
        reader.StepOver();
        return null;
    }

    /// <summary>An error is an object with a message, or a plain message.</summary>
    static string? ReadErrorMessage(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.Text();
        string? message = null;
        if (reader.TokenType != JsonTokenType.StartObject)
            reader.StepOver();
        else
            while (reader.NextMember())
            {
                var isMessage = reader.Has("message"u8);
                message = ReadText(ref reader) is { } text && isMessage ? text : message;
            }
        return message;
    }
}
