using System.Text.Json;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// Reads answers of the Responses wire. The stream repeats every text: pieces are taken from the deltas, and what no delta brought is taken
/// from the end of its item, or from the end of the answer when nothing came before it.
/// </summary>
public sealed class ResponsesReader : AnswerReader
{
    // Calls in the order of their start. The place in the list is the event's index.
    readonly List<Call> _calls = [];

    // Items of a stream whose words have come in pieces.
    readonly HashSet<int> _told = [];

    // Places of the searches that were counted. Some servers end an item twice.
    HashSet<int>? _searches;

    // The provider's own count of its searches. Items of it may be missing, and not all of them are paid for.
    int? _saidSearches;

    bool _started, _anyItem;

    public override int Searches { get => _saidSearches ?? base.Searches; protected set => base.Searches = value; }

    public override StreamPiece Read(scoped SseEvent e, List<AnswerEvent> to)
    {
        try
        {
            var found = ResponsesEvent.Find(e.Data);
            NextSequence = found.Sequence + 1;
            return Read(e.Data, found, to);
        }
        catch (JsonException)
        {
            MalformedSeen = true;
            return StreamPiece.Plain;
        }
    }

    public override bool ReadWhole(ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                return false;
            var answer = ReadAnswer(ref reader, json, withOutput: true, to);
            return answer.HasOutput && !reader.Read();
        }
        catch (JsonException)
        {
            MalformedSeen = true;
            return false;
        }
    }

    StreamPiece Read(ReadOnlySpan<byte> json, in ResponsesEvent e, List<AnswerEvent> to)
    {
        var type = e.Type.Of(json);
        if (type.SequenceEqual("response.output_text.delta"u8))
            AddPiece(AnswerEventKind.Text, e, json, to);
        else if (type.SequenceEqual("response.function_call_arguments.delta"u8))
            AddArguments(e.OutputIndex, e.Delta.TextOf(json), to);
        else if (type.SequenceEqual("response.reasoning_summary_text.delta"u8) || type.SequenceEqual("response.reasoning_text.delta"u8))
            AddPiece(AnswerEventKind.Reasoning, e, json, to);
        else if (type.SequenceEqual("response.refusal.delta"u8))
            AddPiece(AnswerEventKind.Refusal, e, json, to);
        else if (type.SequenceEqual("response.reasoning_summary_part.added"u8) && e.SummaryIndex > 0)
            Add(AnswerEventKind.Reasoning, "\n\n", to);
        else if (type.SequenceEqual("response.function_call_arguments.done"u8))
            AddRest(e.OutputIndex, e.Arguments.TextOf(json), to);
        else if (type.SequenceEqual("response.output_item.added"u8) || type.SequenceEqual("response.output_item.done"u8))
            ReadStreamedItem(e.Item.Of(json), e.OutputIndex, type.EndsWith("done"u8), to);
        else if (type.SequenceEqual("error"u8))
            to.Add(new(AnswerEventKind.Error, e.Message.TextOf(json) ?? MessageOf(e.Error.Of(json))));
        else if (e.Response.Length > 0)
            return ReadResponse(json, e, type, to);
        return StreamPiece.Plain;
    }

    /// <summary>
    /// The whole answer, sent at its start and at its end. A failure is passed on at once, because it is not settled by it.
    /// </summary>
    StreamPiece ReadResponse(ReadOnlySpan<byte> json, in ResponsesEvent e, ReadOnlySpan<byte> type, List<AnswerEvent> to)
    {
        var isEnd = type.SequenceEqual("response.completed"u8) || type.SequenceEqual("response.incomplete"u8);
        var isFailure = type.SequenceEqual("response.failed"u8);
        var text = e.Response.Of(json);
        var reader = new Utf8JsonReader(text);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            MalformedSeen = true;
            return StreamPiece.Plain;
        }
        if (!isEnd && !isFailure)
        {
            // Until the end, usage is null and the status adds nothing to the event.
            var beginning = new List<AnswerEvent>();
            ReadAnswer(ref reader, text, withOutput: false, beginning);
            _saidSearches = null;
            to.AddRange(beginning.FindAll(seen => seen.Kind == AnswerEventKind.Start));
            return StreamPiece.Plain;
        }
        var answer = ReadAnswer(ref reader, text, withOutput: isEnd && !_anyItem && _told.Count == 0, to);
        IsDone = true;
        IsFinished |= isEnd;
        if (isFailure && !answer.HasError)
            to.Add(new(AnswerEventKind.Error));
        return isEnd ? new(true, answer.UsageEnd < 0 ? -1 : e.Response.Start + answer.UsageEnd) : StreamPiece.Plain;
    }

    /// <param name="withOutput">Report the items, too. In a stream they were reported before.</param>
    (bool HasOutput, bool HasError, int UsageEnd) ReadAnswer(
        ref Utf8JsonReader reader, ReadOnlySpan<byte> json, bool withOutput, List<AnswerEvent> to)
    {
        var (hasOutput, hasError, usageEnd) = (false, false, -1);
        string? status = null, reason = null;
        while (reader.NextMember())
        {
            if (reader.Has("id"u8))
                Start(reader.NextText(), to);
            else if (reader.Has("output"u8) && withOutput)
            {
                Start(null, to);
                hasOutput = ReadOutput(ref reader, json, to);
            }
            else if (reader.Has("usage"u8))
            {
                reader.Read();
                var (start, isObject) = ((int)reader.TokenStartIndex, reader.TokenType == JsonTokenType.StartObject);
                reader.StepOver();
                usageEnd = isObject ? (int)reader.BytesConsumed - 1 : -1;
                if (isObject)
                    to.Add(AnswerEvent.Used(ResponsesUsage.Read(json[start..(int)reader.BytesConsumed])));
            }
            else if (reader.Has("incomplete_details"u8))
            {
                reader.Read();
                reason = reader.TextOf("reason"u8);
            }
            else if (reader.Has("status"u8))
                status = reader.NextText();
            else if (reader.Has("tool_usage"u8))
                ReadToolUsage(ref reader);
            else if (reader.Has("error"u8))
            {
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                var isNull = reader.TokenType == JsonTokenType.Null;
                reader.StepOver();
                hasError |= !isNull;
                if (!isNull)
                    to.Add(new(AnswerEventKind.Error, MessageOf(json[start..(int)reader.BytesConsumed])));
            }
            else
            {
                var isTier = reader.Has("service_tier"u8);
                reader.Read();
                HasUnpricedTier |= isTier && ServiceTier.IsUnpriced(ref reader);
                reader.StepOver();
            }
        }
        if (!hasError && FinishOf(status, reason) is { } finish)
            to.Add(finish);
        return (hasOutput, hasError, usageEnd);
    }

    /// <summary>A count that is none leaves it to the items.</summary>
    void ReadToolUsage(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.StepOver();
            return;
        }
        while (reader.NextMember())
        {
            var isSearch = reader.Has("web_search"u8);
            reader.Read();
            if (!isSearch || reader.TokenType != JsonTokenType.StartObject)
                reader.StepOver();
            else
                while (reader.NextMember())
                {
                    var isCount = reader.Has("num_requests"u8);
                    reader.Read();
                    if (isCount && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var count) && count >= 0)
                        _saidSearches = count;
                    reader.StepOver();
                }
        }
    }

    AnswerEvent? FinishOf(string? status, string? reason) =>
        StopReasons.Finish(status is "incomplete" ? reason ?? status : status ?? "completed", calls: _calls.Count > 0);

    bool ReadOutput(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.StepOver();
            return false;
        }
        for (var index = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; index++)
        {
            var start = (int)reader.TokenStartIndex;
            var isObject = reader.TokenType == JsonTokenType.StartObject;
            reader.StepOver();
            if (!isObject)
                continue;
            var item = ResponsesItem.Read(json[start..(int)reader.BytesConsumed]);
            AddEnd(item, index, to);
        }
        return true;
    }

    /// <summary>An item starts or ends in a stream. The deltas have its texts, from all servers but a few.</summary>
    void ReadStreamedItem(ReadOnlySpan<byte> json, int index, bool isDone, List<AnswerEvent> to)
    {
        if (json.IsEmpty || json[0] != '{')
        {
            MalformedSeen = true;
            return;
        }
        var item = ResponsesItem.Read(json);
        _anyItem |= isDone;
        if (isDone)
            AddEnd(item, index, to);
        else if (item.IsCall)
            Begin(item, index, to);
    }

    void AddEnd(ResponsesItem item, int index, List<AnswerEvent> to)
    {
        if (!_told.Contains(index))
            foreach (var (kind, text) in item.Texts)
                Add(kind, text, to);
        if (item.IsSearch && (_searches ??= []).Add(index))
            Searches++;
        if (!item.IsKnown)
            to.Add(AnswerEvent.Unread($"an item of the type '{item.Type}'"));
        else if (item.Image is { } image)
            to.Add(AnswerEvent.Picture("image/png", image));
        else if (item.IsCall)
        {
            Begin(item, index, to);
            AddRest(index, item.Arguments, to);
        }
        else if (item.Signature is { Length: > 0 })
            to.Add(new(AnswerEventKind.Signature, item.Signature));
    }

    void Start(string? id, List<AnswerEvent> to)
    {
        if (!_started)
            to.Add(new(AnswerEventKind.Start, Id: id));
        _started = true;
    }

    void AddPiece(AnswerEventKind kind, in ResponsesEvent e, ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        _told.Add(e.OutputIndex);
        Add(kind, e.Delta.TextOf(json), to);
    }

    static void Add(AnswerEventKind kind, string? text, List<AnswerEvent> to)
    {
        if (text is { Length: > 0 })
            to.Add(new(kind, text));
    }

    void Begin(ResponsesItem item, int outputIndex, List<AnswerEvent> to)
    {
        if (_calls.Exists(call => call.OutputIndex == outputIndex))
            return;
        if (_calls.Count == MaxCalls || item.Name is not { Length: > 0 })
        {
            MalformedSeen = true;
            return;
        }
        _calls.Add(new(outputIndex));
        to.Add(AnswerEvent.Call(_calls.Count - 1, item.CallId is { Length: > 0 } id ? id : CallIds.New(), item.Name));
    }

    void AddArguments(int outputIndex, string? piece, List<AnswerEvent> to)
    {
        var index = _calls.FindLastIndex(call => call.OutputIndex == outputIndex);
        MalformedSeen |= index < 0;
        if (index < 0 || piece is not { Length: > 0 })
            return;
        _calls[index].HasArguments = true;
        to.Add(AnswerEvent.Arguments(index, piece));
    }

    /// <summary>The whole arguments, from a provider that did not send them in pieces.</summary>
    void AddRest(int outputIndex, string? arguments, List<AnswerEvent> to)
    {
        if (_calls.Find(call => call.OutputIndex == outputIndex) is { HasArguments: false })
            AddArguments(outputIndex, arguments, to);
    }

    static string? MessageOf(ReadOnlySpan<byte> error)
    {
        var reader = new Utf8JsonReader(error);
        return error.Length > 0 && reader.Read() ? reader.ErrorMessage() : null;
    }

    sealed class Call(int outputIndex)
    {
        public readonly int OutputIndex = outputIndex;
        public bool HasArguments;
    }
}
