using System.Text;
using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// Reads answers of this wire. A stream's content comes in numbered blocks, each with a start, pieces and a stop. The finish reason and the
/// usage come after all blocks. Usage before that is not reported: a caller who leaves early pays for what was delivered, not for a
/// placeholder.
/// </summary>
public sealed class AnthropicReader : AnswerReader
{
    readonly AnthropicUsage _usage = new();

    // The block numbers of the tool calls, and whether an argument of each was seen.
    readonly Dictionary<int, (int Call, bool HasArguments)> _calls = [];
    int _callCount;

    enum Kind
    {
        Other,
        // Events
        MessageStart, BlockStart, BlockDelta, BlockStop, MessageDelta, MessageStop, Error,
        // Blocks and their pieces
        Text, Thinking, ToolUse, Arguments, Signature, Image,
        /// <summary>Has no words of the answer: thoughts that are sealed, marks of sources.</summary>
        Remark,
    }

    /// <summary>The content of one event, or of one block of a whole answer. Its members may come in any order.</summary>
    struct Said
    {
        public Kind Event, Inner;
        public string? InnerType;
        public int Index;
        public string? Id, Name, Words, Signature, Stop, Sequence, Message;
        public Place Input, Usage, Source;
    }

    /// <summary>Where a value stands in the JSON.</summary>
    readonly record struct Place(int Start, int Length)
    {
        public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> json) => json.Slice(Start, Length);
    }

    public override bool UsageHasSearches => true;

    public override StreamPiece Read(scoped SseEvent e, List<AnswerEvent> to)
    {
        var said = new Said();
        try
        {
            var reader = new Utf8JsonReader(e.Data);
            reader.Read();
            ReadEvent(ref reader, ref said);
        }
        catch (JsonException)
        {
            MalformedSeen = true;
            return new(IsFinished, -1);
        }
        Tell(said, e.Data, to);
        var isTail = IsFinished && said.Event is not (Kind.BlockStart or Kind.BlockDelta or Kind.BlockStop or Kind.Error);
        return new(
            isTail, isTail && said.Event == Kind.MessageDelta && said.Usage.Length > 0 ? said.Usage.Start + said.Usage.Length - 1 : -1);
    }

    public override bool ReadWhole(ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            return reader.Read() && reader.TokenType == JsonTokenType.StartObject && ReadMessage(ref reader, json, to) && !reader.Read();
        }
        catch (JsonException)
        {
            MalformedSeen = true;
            return false;
        }
    }

    void Tell(in Said said, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        switch (said.Event)
        {
            case Kind.MessageStart:
                to.Add(new(AnswerEventKind.Start, Id: said.Id));
                if (said.Usage.Length > 0)
                    Add(said.Usage.Of(json));
                break;
            case Kind.BlockStart or Kind.BlockDelta:
                TellBlock(said, json, to);
                break;
            case Kind.BlockStop:
                if (_calls.Remove(said.Index, out var call) && !call.HasArguments)
                    to.Add(AnswerEvent.Arguments(call.Call, "{}"));
                break;
            case Kind.MessageDelta:
                if (said.Stop is not null)
                    TellStop(said.Stop, said.Sequence, to);
                if (IsFinished && said.Usage.Length > 0)
                    to.Add(AnswerEvent.Used(Add(said.Usage.Of(json))));
                break;
            case Kind.MessageStop:
                IsDone = true;
                break;
            case Kind.Error:
                to.Add(new(AnswerEventKind.Error, said.Message));
                break;
        }
    }

    /// <summary>A block begins, with all of its content or none, or a piece of a block arrives.</summary>
    void TellBlock(in Said said, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        switch (said.Inner)
        {
            case Kind.Text when said.Words is { Length: > 0 }:
                to.Add(AnswerEvent.Words(said.Words));
                break;
            case Kind.Thinking or Kind.Signature:
                if (said.Words is { Length: > 0 })
                    to.Add(new(AnswerEventKind.Reasoning, said.Words));
                if (said.Signature is { Length: > 0 })
                    to.Add(new(AnswerEventKind.Signature, said.Signature));
                break;
            case Kind.ToolUse when _callCount < MaxCalls && said.Event == Kind.BlockStart:
                if (said.Name is not { Length: > 0 })
                    to.Add(AnswerEvent.Unread("a tool call without a name"));
                to.Add(AnswerEvent.Call(_callCount, said.Id ?? "", said.Name ?? ""));
                // Most servers begin with {} and send the arguments in pieces after it. Some send them all at once, or in a string.
                var input = said.Input.Of(json);
                var isWhole = input.Length > 2 && !input.SequenceEqual("null"u8);
                if (isWhole)
                    to.Add(AnswerEvent.Arguments(_callCount, input[0] == '"' ? TextOf(input) : Encoding.UTF8.GetString(input)));
                _calls[said.Index] = (_callCount++, isWhole);
                break;
            case Kind.Arguments when said.Words is { Length: > 0 } && _calls.TryGetValue(said.Index, out var call):
                _calls[said.Index] = (call.Call, true);
                to.Add(AnswerEvent.Arguments(call.Call, said.Words));
                break;
            case Kind.Image:
                to.Add(ImageOf(said.Source.Of(json)));
                break;
            case Kind.Other when said.InnerType is not null:
                if (said is { Event: Kind.BlockStart, InnerType: "server_tool_use", Name: "web_search" })
                    Searches++;
                to.Add(AnswerEvent.Unread($"a block of the type '{said.InnerType}'"));
                break;
        }
    }

    static AnswerEvent ImageOf(ReadOnlySpan<byte> source)
    {
        string? type = null, data = null, address = null;
        var reader = new Utf8JsonReader(source);
        if (!source.IsEmpty && reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            while (reader.NextMember())
            {
                var (isType, isData, isAddress) = (reader.Has("media_type"u8), reader.Has("data"u8), reader.Has("url"u8));
                var text = reader.NextText();
                (type, data, address) = (isType ? text : type, isData ? text : data, isAddress ? text : address);
            }
        return type is not null && data is not null ? AnswerEvent.Picture(type, data)
            : address is not null ? AnswerEvent.Picture(null, address)
            : AnswerEvent.Unread("an image that cannot be read");
    }

    static string TextOf(ReadOnlySpan<byte> quoted)
    {
        var reader = new Utf8JsonReader(quoted);
        reader.Read();
        return reader.Text();
    }

    void TellStop(string reason, string? sequence, List<AnswerEvent> to)
    {
        if (StopReasons.Finish(reason, detail: sequence) is not { } finish)
            return;
        IsFinished = true;
        to.Add(finish);
    }

    static void ReadEvent(ref Utf8JsonReader reader, ref Said said)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException();
        while (reader.NextMember())
        {
            if (reader.Has("type"u8))
                said.Event = KindOf(ref reader);
            else if (reader.Has("index"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out said.Index))
                    reader.StepOver();
            }
            else if (reader.Has("delta"u8) || reader.Has("content_block"u8) || reader.Has("message"u8) || reader.Has("error"u8))
                ReadInner(ref reader, ref said);
            else if (reader.Has("usage"u8))
                ReadUsage(ref reader, ref said);
            else
            {
                reader.Read();
                reader.StepOver();
            }
        }
        if (reader.Read())
            throw new JsonException();
    }

    /// <summary>The object inside an event. No two objects give one member name two meanings.</summary>
    static void ReadInner(ref Utf8JsonReader reader, ref Said said)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
            while (reader.NextMember())
                ReadInnerMember(ref reader, ref said);
        else
            reader.StepOver();
    }

    static void ReadInnerMember(ref Utf8JsonReader reader, ref Said said)
    {
        if (reader.Has("type"u8))
        {
            said.Inner = KindOf(ref reader);
            said.InnerType = reader.TokenType == JsonTokenType.String ? reader.Text() : null;
        }
        else if (reader.Has("text"u8) || reader.Has("thinking"u8) || reader.Has("partial_json"u8))
            said.Words = reader.NextText();
        else if (reader.Has("id"u8))
            said.Id = reader.NextText();
        else if (reader.Has("name"u8))
            said.Name = reader.NextText();
        else if (reader.Has("signature"u8))
            said.Signature = reader.NextText();
        else if (reader.Has("stop_reason"u8))
            said.Stop = reader.NextText();
        else if (reader.Has("stop_sequence"u8))
            said.Sequence = reader.NextText();
        else if (reader.Has("message"u8))
            said.Message = reader.NextText();
        else if (reader.Has("input"u8))
            said.Input = ReadRaw(ref reader);
        else if (reader.Has("source"u8))
            said.Source = ReadRaw(ref reader);
        else if (reader.Has("usage"u8))
            ReadUsage(ref reader, ref said);
        else
        {
            reader.Read();
            reader.StepOver();
        }
    }

    ProviderUsage Add(ReadOnlySpan<byte> usage)
    {
        HasUnpricedTier |= AnthropicUsage.HasUnpricedTier(usage);
        return _usage.Add(usage);
    }

    /// <summary>The members of a whole answer; false when it has neither content nor an error.</summary>
    bool ReadMessage(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        var said = new Said();
        var (isAnswer, start) = (false, to.Count);
        while (reader.NextMember())
        {
            if (reader.Has("content"u8))
            {
                reader.Read();
                isAnswer |= ReadContent(ref reader, json, to);
            }
            else if (reader.Has("error"u8))
            {
                ReadInner(ref reader, ref said);
                to.Add(new(AnswerEventKind.Error, said.Message));
                isAnswer = true;
            }
            else
                ReadInnerMember(ref reader, ref said);
        }
        to.Insert(start, new(AnswerEventKind.Start, Id: said.Id));
        if (said.Stop is not null)
            TellStop(said.Stop, said.Sequence, to);
        if (said.Usage.Length > 0)
            to.Add(AnswerEvent.Used(Add(said.Usage.Of(json))));
        return isAnswer;
    }

    bool ReadContent(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.StepOver();
            return false;
        }
        for (var index = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; index++)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.StepOver();
                continue;
            }
            var block = new Said { Event = Kind.BlockStart, Index = index };
            while (reader.NextMember())
                ReadInnerMember(ref reader, ref block);
            TellBlock(block, json, to);
            Tell(new Said { Event = Kind.BlockStop, Index = index }, json, to);
        }
        return true;
    }

    static void ReadUsage(ref Utf8JsonReader reader, ref Said said)
    {
        var value = ReadRaw(ref reader);
        if (reader.TokenType == JsonTokenType.EndObject)
            said.Usage = value;
    }

    /// <summary>Steps to the value and over it.</summary>
    static Place ReadRaw(ref Utf8JsonReader reader)
    {
        reader.Read();
        var start = (int)reader.TokenStartIndex;
        reader.StepOver();
        return new(start, (int)reader.BytesConsumed - start);
    }

    static Kind KindOf(ref Utf8JsonReader reader)
    {
        reader.Read();
        var kind = reader.TokenType != JsonTokenType.String ? Kind.Other
            : reader.Has("content_block_delta"u8) ? Kind.BlockDelta
            : reader.Has("text_delta"u8) || reader.Has("text"u8) ? Kind.Text
            : reader.Has("input_json_delta"u8) ? Kind.Arguments
            : reader.Has("thinking_delta"u8) || reader.Has("thinking"u8) ? Kind.Thinking
            : reader.Has("signature_delta"u8) ? Kind.Signature
            : reader.Has("tool_use"u8) ? Kind.ToolUse
            : reader.Has("message_start"u8) ? Kind.MessageStart
            : reader.Has("content_block_start"u8) ? Kind.BlockStart
            : reader.Has("content_block_stop"u8) ? Kind.BlockStop
            : reader.Has("message_delta"u8) ? Kind.MessageDelta
            : reader.Has("message_stop"u8) ? Kind.MessageStop
            : reader.Has("error"u8) ? Kind.Error
            : reader.Has("image"u8) ? Kind.Image
            : reader.Has("redacted_thinking"u8) || reader.Has("citations_delta"u8) ? Kind.Remark
            : Kind.Other;
        reader.StepOver();
        return kind;
    }
}
