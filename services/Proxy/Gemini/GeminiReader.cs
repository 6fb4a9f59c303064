using System.Text;
using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// Reads the answer of <c>generateContent</c>, whole or in chunks. Each chunk is an answer with the new content and the usage so far. The
/// wire has no end mark: an answer is finished when every candidate that was seen has a <c>finishReason</c>.
/// </summary>
public sealed class GeminiReader : AnswerReader
{
    // One bit for each candidate. Google gives at most 8.
    ulong _seen, _finished;

    int _calls;
    bool _started;

    public override StreamPiece Read(scoped SseEvent e, List<AnswerEvent> to)
    {
        var first = to.Count;
        var usageEnd = Read(e.Data, to, out var hasFinish, out var isAnswer);
        MalformedSeen |= !isAnswer;
        // Words after the end show that it was no end: they pass, and so does what was withheld before them.
        return new(hasFinish || (IsFinished && isAnswer && !HasWords(to, first)), usageEnd);
    }

    public override bool ReadWhole(ReadOnlySpan<byte> json, List<AnswerEvent> to)
    {
        Read(json, to, out _, out var isAnswer);
        return isAnswer && !MalformedSeen && to.TrueForAll(e => e.Kind != AnswerEventKind.Error);
    }

    static bool HasWords(List<AnswerEvent> events, int from)
    {
        for (; from < events.Count; from++)
            if (events[from].Kind is AnswerEventKind.Text or AnswerEventKind.Reasoning or AnswerEventKind.ToolCall or AnswerEventKind.Image)
                return true;
        return false;
    }

    /// <summary>Offset of the brace that closes the usage, or -1.</summary>
    /// <param name="hasFinish">The last open candidate ends here, or the prompt was refused.</param>
    /// <param name="isAnswer">This is an answer or a piece of one, or an error.</param>
    int Read(ReadOnlySpan<byte> data, List<AnswerEvent> to, out bool hasFinish, out bool isAnswer)
    {
        var (first, usageEnd, wasFinished) = (to.Count, -1, IsFinished);
        string? id = null;
        isAnswer = false;
        try
        {
            var reader = new Utf8JsonReader(data);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                throw new JsonException();
            while (reader.NextMember())
                isAnswer |= ReadMember(ref reader, data, to, ref id, ref usageEnd);
            if (reader.Read())
                throw new JsonException();
        }
        catch (JsonException)
        {
            MalformedSeen = true;
        }
        if (!_started && (isAnswer || to.Count > first))
        {
            _started = true;
            to.Insert(first, new(AnswerEventKind.Start, Id: id));
        }
        hasFinish = IsFinished && !wasFinished;
        return usageEnd;
    }

    /// <summary>True for members that make an answer.</summary>
    bool ReadMember(ref Utf8JsonReader reader, ReadOnlySpan<byte> data, List<AnswerEvent> to, ref string? id, ref int usageEnd)
    {
        var (isCandidates, isUsage, isFeedback) = (
            reader.Has("candidates"u8), reader.Has("usageMetadata"u8), reader.Has("promptFeedback"u8));
        var (isId, isError) = (reader.Has("responseId"u8), reader.Has("error"u8));
        reader.Read();
        if (isCandidates && reader.TokenType == JsonTokenType.StartArray)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                ReadCandidate(ref reader, data, to);
        }
        else if (isUsage && reader.TokenType == JsonTokenType.StartObject)
        {
            var start = (int)reader.TokenStartIndex;
            reader.StepOver();
            usageEnd = (int)reader.TokenStartIndex;
            to.Add(AnswerEvent.Used(GeminiUsage.Read(data[start..(usageEnd + 1)])));
        }
        else if (isFeedback && reader.TokenType == JsonTokenType.StartObject)
            ReadFeedback(ref reader, to);
        else if (isError && reader.TokenType is JsonTokenType.StartObject or JsonTokenType.String)
            to.Add(new(AnswerEventKind.Error, reader.ErrorMessage() is { Length: > 0 } message ? message : "The provider failed."));
        else
        {
            id = isId ? Text(ref reader) : id;
            reader.StepOver();
            return false;
        }
        return true;
    }

    void ReadCandidate(ref Utf8JsonReader reader, ReadOnlySpan<byte> data, List<AnswerEvent> to)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.StepOver();
            return;
        }
        var index = 0;
        string? reason = null, message = null;
        while (reader.NextMember())
        {
            var (isContent, isFinish, isIndex) = (reader.Has("content"u8), reader.Has("finishReason"u8), reader.Has("index"u8));
            var isMessage = reader.Has("finishMessage"u8);
            reader.Read();
            if (isContent && reader.TokenType == JsonTokenType.StartObject)
                ReadContent(ref reader, data, to);
            else if (isFinish)
                reason = Text(ref reader) ?? reason;
            else if (isMessage)
                message = Text(ref reader);
            else if (isIndex && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var value))
                index = Math.Clamp(value, 0, 63);
            reader.StepOver();
        }
        _seen |= 1UL << index;
        if (reason is not null && StopReasons.Finish(reason, _calls > 0, message) is { } finish)
        {
            _finished |= 1UL << index;
            to.Add(finish);
        }
        IsFinished = _finished == _seen;
    }

    void ReadContent(ref Utf8JsonReader reader, ReadOnlySpan<byte> data, List<AnswerEvent> to)
    {
        while (reader.NextMember())
        {
            var isParts = reader.Has("parts"u8);
            reader.Read();
            if (isParts && reader.TokenType == JsonTokenType.StartArray)
            {
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    ReadPart(ref reader, data, to);
            }
            else
                reader.StepOver();
        }
    }

    /// <summary>The members of a part come in any order, so a part is interpreted at its end.</summary>
    void ReadPart(ref Utf8JsonReader reader, ReadOnlySpan<byte> data, List<AnswerEvent> to)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.StepOver();
            return;
        }
        string? text = null, signature = null, unread = null;
        var (isThought, hasCall, call, image) = (false, false, default(Call), default(AnswerEvent?));
        while (reader.NextMember())
        {
            var (isText, isThoughtFlag, isSignature) = (reader.Has("text"u8), reader.Has("thought"u8), reader.Has("thoughtSignature"u8));
            var (isCall, isData, isFile) = (reader.Has("functionCall"u8), reader.Has("inlineData"u8), reader.Has("fileData"u8));
            var (isCode, isResult) = (reader.Has("executableCode"u8), reader.Has("codeExecutionResult"u8));
            var name = reader.ValueSpan;
            reader.Read();
            if (isText)
                text = Text(ref reader);
            else if (isThoughtFlag)
                isThought = reader.TokenType == JsonTokenType.True;
            else if (isSignature)
                signature = Text(ref reader);
            else if (reader.TokenType == JsonTokenType.StartObject)
            {
                if (isCall)
                    (hasCall, call) = (true, ReadCall(ref reader, data));
                else if (isData || isFile)
                    image = GeminiMedia.ReadImage(ref reader);
                else if (isCode || isResult)
                    text = GeminiMedia.ReadCode(ref reader);
                else if (!GeminiMedia.IsRemark(name))
                    unread = Encoding.UTF8.GetString(name);
            }
            reader.StepOver();
        }
        if (hasCall)
            TellCall(call, signature, to);
        if (unread is not null)
            to.Add(AnswerEvent.Unread($"a part with '{unread}'"));
        // Thoughts may be sketched. The sketches are no part of the answer.
        if (image is { } shown && !isThought)
            to.Add(shown);
        if (text is { Length: > 0 } && !hasCall)
            to.Add(new(isThought ? AnswerEventKind.Reasoning : AnswerEventKind.Text, text));
        if (isThought && signature is { Length: > 0 } && !hasCall)
            to.Add(new(AnswerEventKind.Signature, signature));
    }

    void TellCall(in Call call, string? signature, List<AnswerEvent> to)
    {
        if (call is not { Name: { Length: > 0 } name, Unread: false })
        {
            to.Add(AnswerEvent.Unread("a function call that cannot be read"));
            return;
        }
        to.Add(AnswerEvent.Call(_calls, call.Id ?? CallIds.New(), name, signature));
        to.Add(AnswerEvent.Arguments(_calls++, call.Arguments ?? "{}"));
    }

    /// <param name="Unread">The arguments are neither an object nor one in a string.</param>
    readonly record struct Call(string? Id, string? Name, string? Arguments, bool Unread);

    static Call ReadCall(ref Utf8JsonReader reader, ReadOnlySpan<byte> data)
    {
        var call = default(Call);
        while (reader.NextMember())
        {
            var (isId, isName, isArguments) = (reader.Has("id"u8), reader.Has("name"u8), reader.Has("args"u8));
            reader.Read();
            if (isId)
                call = call with { Id = Text(ref reader) is { Length: > 0 } id ? id : null };
            else if (isName)
                call = call with { Name = Text(ref reader) };
            else if (isArguments && reader.TokenType == JsonTokenType.StartObject)
            {
                var start = (int)reader.TokenStartIndex;
                reader.StepOver();
                call = call with { Arguments = Encoding.UTF8.GetString(data[start..(int)reader.BytesConsumed]) };
            }
            else if (isArguments && reader.TokenType != JsonTokenType.Null)
            {
                var text = Text(ref reader) ?? "";
                call = call with { Arguments = text, Unread = !text.StartsWith('{') || !LenientJson.IsJson(Encoding.UTF8.GetBytes(text)) };
            }
            reader.StepOver();
        }
        return call;
    }

    void ReadFeedback(ref Utf8JsonReader reader, List<AnswerEvent> to)
    {
        while (reader.NextMember())
        {
            var isBlock = reader.Has("blockReason"u8);
            reader.Read();
            if (isBlock && reader.TokenType == JsonTokenType.String && !reader.Has("BLOCK_REASON_UNSPECIFIED"u8))
            {
                to.Add(AnswerEvent.Finished(StopReason.Filtered));
                IsFinished = true;
            }
            reader.StepOver();
        }
    }

    /// <summary>Null when the value is no string.</summary>
    static string? Text(ref Utf8JsonReader reader) => reader.TokenType == JsonTokenType.String ? reader.Text() : null;
}
