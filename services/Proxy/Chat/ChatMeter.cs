using LlmGateway.Proxy.OneShots;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Proxy.Chat;

/// <summary>Meters an answer of the OpenAI chat or completions wire, whole or as the chunks of a stream.</summary>
/// <param name="counts">False skips our own count, which is most of the work. A whole answer can be read again if its usage is
/// missing.</param>
/// <param name="completion">The request, on the completions wire, where a choice has its words in <c>text</c>. Null on the chat wire, where
/// that member is not read, because some servers repeat their words there.</param>
public sealed class ChatMeter(bool counts = true, CompletionRequest? completion = null) : WholeMeter
{
    // Names of the members of a message or delta that hold the model's words.
    static readonly byte[][] Texts =
    [
        "content"u8.ToArray(), "text"u8.ToArray(), "refusal"u8.ToArray(),
        "reasoning_content"u8.ToArray(), "reasoning"u8.ToArray(), "thinking"u8.ToArray(),
        "name"u8.ToArray(), "arguments"u8.ToArray(),
    ];

    /// <summary>Index of <c>text</c> in <see cref="Texts"/>, for a choice that has its words outside of a message.</summary>
    const int TextKind = 1;

    Track[] _tracks = new Track[1];
    UInt128 _finished;
    string? _finishReason;
    bool _hasUnpricedTier;

    protected override bool HasUnpricedTier => _hasUnpricedTier;

    /// <summary>The last finish reason that was seen.</summary>
    public override string? FinishReason => _finishReason;

    /// <summary>How many answers have a finish reason.</summary>
    public int FinishedChoices => (int)UInt128.PopCount(_finished);

    /// <summary>Something was seen that is no JSON.</summary>
    public bool MalformedSeen { get; private set; }

    public override long DeliveredTokens
    {
        get
        {
            var sum = 0L;
            foreach (var track in _tracks)
                sum += track.Estimate.Tokens;
            return Math.Max(0, sum - (completion?.EchoedTokens ?? 0));
        }
    }

    /// <summary>
    /// An answer that repeats the prompt (<c>echo</c>) has words without output. They do not contradict a usage without output.
    /// </summary>
    public override bool UsageIsBelieved => completion?.EchoedTokens is null ? base.UsageIsBelieved : Usage?.Usage is not null;

    public override bool See(ReadOnlySpan<byte> answer) => Read(answer).IsJson;

    /// <summary>Reads one JSON text, which is a chunk's data or a whole answer.</summary>
    public ChatPiece Read(ReadOnlySpan<byte> json)
    {
        var piece = default(ChatPiece);
        try
        {
            var reader = new Utf8JsonReader(json);
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
                SeeMembers(ref reader, ref piece);
            piece.IsJson = !reader.Read();
        }
        catch (JsonException)
        {
            // Counts from before the defect stay.
        }
        MalformedSeen |= !piece.IsJson;
        var (start, length) = piece.Usage.Length > 0 ? piece.Usage : piece.ChoiceUsage;
        if (piece.IsJson && length > 0 && !piece.UsageIsNull)
            SeeUsage(ChatUsage.Read(json.Slice(start, length)));
        return piece;
    }

    /// <summary>Counts an event that is too large to be parsed. All of it counts as text, because most of it is.</summary>
    internal void SeeUnread(ReadOnlySpan<byte> bytes)
    {
        ContentSeen = true;
        _tracks[0].Estimate.Add(bytes);
    }

    void SeeMembers(ref Utf8JsonReader reader, ref ChatPiece piece)
    {
        for (var end = (int)reader.BytesConsumed; reader.NextMember(); end = (int)reader.BytesConsumed)
        {
            var start = (int)reader.TokenStartIndex;
            if (piece.Usage.Length > 0 && piece.AfterUsage == 0)
                piece.AfterUsage = start;
            if (reader.Has("choices"u8))
            {
                reader.Read();
                piece.HasChoices = SeeChoices(ref reader, ref piece);
            }
            else if (reader.Has("usage"u8))
            {
                reader.Read();
                var value = (int)reader.TokenStartIndex;
                piece.UsageIsNull = reader.TokenType == JsonTokenType.Null;
                piece.UsageIsObject = reader.TokenType == JsonTokenType.StartObject;
                reader.StepOver();
                (piece.BeforeUsage, piece.UsageName, piece.AfterUsage) = (end, start, 0);
                piece.Usage = (value, (int)reader.BytesConsumed - value);
            }
            else
            {
                var (isError, isTier) = (reader.Has("error"u8), reader.Has("service_tier"u8));
                reader.Read();
                _hasUnpricedTier |= isTier && ServiceTier.IsUnpriced(ref reader);
                ErrorSeen |= isError && reader.TokenType != JsonTokenType.Null;
                reader.StepOver();
            }
        }
    }

    bool SeeChoices(ref Utf8JsonReader reader, ref ChatPiece piece)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.StepOver();
            return false;
        }
        var count = 0;
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; count++)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
                SeeChoice(ref reader, count, ref piece);
            else
                reader.StepOver();
        }
        return count > 0;
    }

    /// <summary>
    /// Reads one choice. Without an index its place in the array counts. The index must come before the words, as in every provider's
    /// chunks.
    /// </summary>
    void SeeChoice(ref Utf8JsonReader reader, int index, ref ChatPiece piece)
    {
        while (reader.NextMember())
        {
            var (isIndex, isFinish) = (reader.Has("index"u8), reader.Has("finish_reason"u8));
            var isMessage = reader.Has("delta"u8) || reader.Has("message"u8);
            var isText = completion is not null && reader.Has("text"u8);
            var (isUsage, isError) = (reader.Has("usage"u8), reader.Has("error"u8));
            reader.Read();
            ErrorSeen |= isError && reader.TokenType != JsonTokenType.Null;
            if (isIndex && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var given))
                index = given;
            else if (isFinish && reader.TokenType == JsonTokenType.String)
                Finish(ref reader, index);
            else if (isMessage && reader.TokenType == JsonTokenType.StartObject)
                SeeMessage(ref reader, index);
            else if (isText && reader.TokenType == JsonTokenType.String)
                SeeWords(ref reader, ref TrackOf(index), TextKind);
            else if (isUsage && reader.TokenType == JsonTokenType.StartObject)
            {
                var start = (int)reader.TokenStartIndex;
                reader.StepOver();
                piece.ChoiceUsage = (start, (int)reader.BytesConsumed - start);
            }
            else
                reader.StepOver();
        }
    }

    void Finish(ref Utf8JsonReader reader, int index)
    {
        _finishReason = reader.Has("stop"u8) ? "stop" : reader.Has("length"u8) ? "length" : reader.Has("tool_calls"u8) ? "tool_calls"
            : Encoding.UTF8.GetString(reader.ValueSpan[..Math.Min(reader.ValueSpan.Length, 64)]);
        _finished |= UInt128.One << (index & (ModelRequest.MaxChoices - 1));
    }

    void SeeMessage(ref Utf8JsonReader reader, int index)
    {
        ref var track = ref TrackOf(index);
        var depth = reader.CurrentDepth;
        var kind = -1;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                // OpenRouter repeats the words of its thoughts there.
                if (reader.Has("reasoning_details"u8))
                    reader.Skip();
                kind = KindOf(ref reader);
            }
            else if (reader.TokenType == JsonTokenType.String && kind >= 0)
                SeeWords(ref reader, ref track, kind);
        }
    }

    void SeeWords(ref Utf8JsonReader reader, ref Track track, int kind)
    {
        if (reader.ValueSpan.Length == 0)
            return;
        ContentSeen = true;
        if (!counts)
            return;
        if (kind != track.Kind)
            track.Estimate.Break();
        track.Kind = kind;
        track.Estimate.AddJson(reader.ValueSpan);
    }

    ref Track TrackOf(int index)
    {
        // Choices beyond the number that can be asked for share counters.
        index &= ModelRequest.MaxChoices - 1;
        if (index >= _tracks.Length)
            Array.Resize(ref _tracks, index + 1);
        return ref _tracks[index];
    }

    static int KindOf(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.PropertyName)
            for (var kind = 0; kind < Texts.Length; kind++)
                if (reader.Has(Texts[kind]))
                    return kind;
        return -1;
    }

    /// <summary>The words of one choice so far. A change of kind (content, arguments of a tool …) ends a word.</summary>
    struct Track
    {
        public TokenEstimate Estimate;
        public int Kind;
    }
}

/// <summary>What <see cref="ChatMeter.Read"/> found in one JSON text. Offsets count from its beginning.</summary>
public struct ChatPiece
{
    public bool IsJson { get; internal set; }

    /// <summary><c>choices</c> has an element.</summary>
    public bool HasChoices { get; internal set; }

    /// <summary>The value of <c>usage</c>; empty when the member is absent.</summary>
    internal (int Start, int Length) Usage { get; set; }

    /// <summary>The usage object of a choice, where Moonshot's streams have it. It counts when there is no other.</summary>
    internal (int Start, int Length) ChoiceUsage { get; set; }
    internal bool UsageIsNull { get; set; }
    internal bool UsageIsObject { get; set; }

    /// <summary>
    /// The end of what stands before the member, the start of its name, and the start of the next member's name. The last is 0 when there
    /// is no next member.
    /// </summary>
    internal int BeforeUsage { get; set; }
    internal int UsageName { get; set; }
    internal int AfterUsage { get; set; }

    /// <summary>The bytes to cut so that the member is gone and the commas are correct.</summary>
    internal readonly (int Start, int End) Cut(ReadOnlySpan<byte> json)
    {
        var isFirst = json[..BeforeUsage].TrimStart(" \t\r\n"u8) is [(byte)'{'];
        return isFirst && AfterUsage > 0 ? (UsageName, AfterUsage) : (BeforeUsage, Usage.Start + Usage.Length);
    }
}
