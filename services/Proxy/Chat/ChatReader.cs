using System.Text;
using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// Reads answers of the OpenAI chat wire for callers of other wires. Only the first choice is read, because those callers cannot ask for
/// more. <see cref="ChatRelay"/> handles streams that stay on this wire, so this reader never marks a tail.
/// </summary>
public sealed class ChatReader : AnswerReader
{
    // Calls in the order of their start. The place in the list is the event's index.
    readonly List<(int Given, string? Id)> _calls = [];

    readonly ChatContent _content = new();

    // A call's id that came before its name.
    string? _idWithoutName;
    bool _started;

    // Thoughts were told that came as 'reasoning_content' and are not signed yet.
    bool _thinks;

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
                hasAnswer |= ReadChoices(ref reader, json, to);
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
                ReadUsage(ref reader, json, to);
            }
            else if (reader.Has("error"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.Null)
                    to.Add(new(AnswerEventKind.Error, reader.ErrorMessage()));
            }
            else
            {
                var isTier = reader.Has("service_tier"u8);
                reader.Read();
                HasUnpricedTier |= isTier && ServiceTier.IsUnpriced(ref reader);
                reader.StepOver();
            }
        }
    }

    static void ReadUsage(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        var start = (int)reader.TokenStartIndex;
        var isNull = reader.TokenType == JsonTokenType.Null;
        reader.StepOver();
        if (!isNull)
            to.Add(AnswerEvent.Used(ChatUsage.Read(json[start..(int)reader.BytesConsumed])));
    }

    void Start(ref Utf8JsonReader reader, List<AnswerEvent> to)
    {
        if (!_started)
            to.Add(new(AnswerEventKind.Start, Id: reader.Text()));
        _started = true;
    }

    bool ReadChoices(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<AnswerEvent> to)
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
                ReadChoice(ref reader, json, to);
            }
            else
                reader.StepOver();
        }
        return any;
    }

    void ReadChoice(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        string? reason = null;
        while (reader.NextMember())
        {
            var (isMessage, isFinish) = (reader.Has("delta"u8) || reader.Has("message"u8), reader.Has("finish_reason"u8));
            var (isUsage, isError) = (reader.Has("usage"u8), reader.Has("error"u8));
            reader.Read();
            if (isMessage && reader.TokenType == JsonTokenType.StartObject)
                ReadMessage(ref reader, json, to);
            else if (isFinish && reader.TokenType == JsonTokenType.String)
                reason = reader.Text();
            else if (isUsage)
                ReadUsage(ref reader, json, to);
            else if (isError && reader.TokenType != JsonTokenType.Null)
                to.Add(new(AnswerEventKind.Error, reader.ErrorMessage()));
            else
                reader.StepOver();
        }
        if (reason is not null)
            Sign(to, to.Count);
        if (reason is null || StopReasons.Finish(reason, calls: _calls.Count > 0) is not { } finish)
            return;
        IsFinished = true;
        to.Add(finish);
    }

    /// <summary>A message or a piece of one. Its members come in any order; its events are ordered as thoughts, words, calls.</summary>
    void ReadMessage(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        var (first, isMember) = (to.Count, false);
        while (reader.NextMember())
        {
            isMember |= reader.Has("reasoning_content"u8);
            // OpenRouter has images in a member of their own.
            if (reader.Has("content"u8) || reader.Has("images"u8))
                _content.ReadContent(ref reader);
            else if (reader.Has("reasoning_content"u8) || reader.Has("reasoning"u8) || reader.Has("reasoning_details"u8))
                _content.ReadThought(ref reader);
            else if (reader.Has("refusal"u8))
                _content.ReadRefusal(ref reader);
            else if (reader.Has("tool_calls"u8))
            {
                reader.Read();
                ReadCalls(ref reader, json, to);
            }
            else
                ReadOther(ref reader, json, to);
        }
        _content.Tell(to, first);
        var isThought = first < to.Count && to[first].Kind == AnswerEventKind.Reasoning;
        _thinks |= isThought && isMember;
        var next = isThought ? first + 1 : first;
        if (next < to.Count)
            Sign(to, next);
    }

    /// <summary>Marks the thoughts so far, which the provider may want back as they were; see <see cref="ThoughtMark"/>.</summary>
    void Sign(List<AnswerEvent> to, int at)
    {
        if (_thinks)
            to.Insert(at, new(AnswerEventKind.Signature, ThoughtMark.Unnamed));
        _thinks = false;
    }

    void ReadOther(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        var (isAudio, isFunction) = (reader.Has("audio"u8), reader.Has("function_call"u8));
        reader.Read();
        if (isFunction && reader.TokenType == JsonTokenType.StartObject)
        {
            var (name, arguments) = ReadFunction(ref reader, json);
            Call(0, null, name, arguments, to);
            return;
        }
        if (isAudio && reader.TokenType == JsonTokenType.StartObject)
            _content.Unread("audio");
        reader.StepOver();
    }

    void ReadCalls(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        if (reader.TokenType == JsonTokenType.StartObject)
            ReadCall(ref reader, json, 0, to);
        else if (reader.TokenType == JsonTokenType.StartArray)
            for (var place = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; place++)
            {
                if (reader.TokenType == JsonTokenType.StartObject)
                    ReadCall(ref reader, json, place, to);
                else
                    reader.StepOver();
            }
    }

    void ReadCall(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, int given, List<AnswerEvent> to)
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
                (name, arguments) = ReadFunction(ref reader, json);
            else
                reader.StepOver();
        }
        Call(given, id, name, arguments, to);
    }

    /// <param name="given">The index that the provider gives the call.</param>
    void Call(int given, string? id, string? name, string? arguments, List<AnswerEvent> to)
    {
        var call = _calls.FindLastIndex(known => known.Given == given);
        // Gemini's imitation of this wire gives every call the index 0. A new id there is a new call.
        if (call < 0 || (id is { Length: > 0 } && _calls[call].Id is { } before && before != id))
        {
            id = id is { Length: > 0 } ? id : _idWithoutName;
            if (name is not { Length: > 0 } || _calls.Count == MaxCalls)
            {
                // A name may follow its id, but nothing can be run without one.
                _idWithoutName = id;
                if (arguments is { Length: > 0 } || _calls.Count == MaxCalls)
                    to.Add(AnswerEvent.Unread("a tool call without a name"));
                return;
            }
            call = _calls.Count;
            id = id is { Length: > 0 } ? id : CallIds.New();
            _idWithoutName = null;
            _calls.Add((given, id));
            to.Add(AnswerEvent.Call(call, id, name));
        }
        if (arguments is { Length: > 0 })
            to.Add(AnswerEvent.Arguments(call, arguments));
    }

    /// <summary>The arguments are JSON in a string. Some servers send the JSON itself.</summary>
    static (string? Name, string? Arguments) ReadFunction(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        string? name = null, arguments = null;
        while (reader.NextMember())
        {
            if (reader.Has("name"u8))
                name = reader.NextText();
            else if (reader.Has("arguments"u8))
            {
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                if (reader.TokenType == JsonTokenType.String)
                    arguments = reader.Text();
                else if (reader.TokenType == JsonTokenType.StartObject)
                {
                    reader.Skip();
                    arguments = Encoding.UTF8.GetString(json[start..(int)reader.BytesConsumed]);
                }
                else
                    reader.StepOver();
            }
            else
            {
                reader.Read();
                reader.StepOver();
            }
        }
        return (name, arguments);
    }
}
