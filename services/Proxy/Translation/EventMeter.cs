using System.Runtime.InteropServices;
using System.Text;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Meters an answer by its <see cref="AnswerEvent"/>s. Chat that passes through has a meter of its own, which reads bytes.
/// </summary>
/// <param name="reader">Reader of the provider's wire.</param>
/// <param name="writer">Writer of the caller's wire, when the answer is translated. What it refuses is an error.</param>
public sealed class EventMeter(AnswerReader reader, AnswerWriter? writer = null) : WholeMeter
{
    const string Unread = "The provider's answer has a piece that cannot be read.";

    readonly List<AnswerEvent> _whole = [];

    TokenEstimate _estimate;
    AnswerEventKind _kind;
    int _index, _images;

    public override int Searches => reader.Searches;

    protected override bool UsageHasSearches => reader.UsageHasSearches;

    protected override bool HasUnpricedTier => reader.HasUnpricedTier;

    public override long DeliveredTokens => _estimate.Tokens + ((long)_images * TokenEstimate.TokensPerMadeImage);

    /// <summary>The provider's error message, or why its answer cannot be told.</summary>
    public string? ErrorMessage { get; private set; }

    /// <summary>The last <c>Finish</c> that was seen; until then an event of another kind, with <see cref="StopReason.End"/>.</summary>
    public AnswerEvent Finish { get; private set; }

    public override string? FinishReason => Finish.Kind == AnswerEventKind.Finish ? StopReasons.WordsOf(Finish.Stop).Chat : null;

    /// <summary>The events of the answer that <see cref="See(ReadOnlySpan{byte})"/> read.</summary>
    public IReadOnlyList<AnswerEvent> Whole => _whole;

    public override bool See(ReadOnlySpan<byte> answer)
    {
        if (!reader.ReadWhole(answer, _whole))
            return false;
        See(_whole);
        return true;
    }

    /// <summary>The pieces of one event or answer, in order.</summary>
    public void See(List<AnswerEvent> events)
    {
        foreach (ref readonly var e in CollectionsMarshal.AsSpan(events))
            See(e);
        if (writer is not null && reader.MalformedSeen)
            Fail(Unread);
    }

    /// <summary>Counts an event that is too large to parse as text, which most of it is.</summary>
    public void SeeUnread(ReadOnlySpan<byte> bytes)
    {
        ContentSeen = true;
        _estimate.Add(bytes);
    }

    void Fail(string? message)
    {
        ErrorSeen = true;
        ErrorMessage ??= message;
    }

    void See(in AnswerEvent e)
    {
        if (writer?.Refuses(e) is { } why)
        {
            // What the caller is not shown is not delivered.
            Fail(why);
            return;
        }
        switch (e.Kind)
        {
            case AnswerEventKind.Text or AnswerEventKind.Reasoning or AnswerEventKind.Refusal
                or AnswerEventKind.ToolCall or AnswerEventKind.ToolArguments
                when e.Text is { Length: > 0 }:
                Count(e);
                break;
            case AnswerEventKind.Usage:
                SeeUsage(e.Usage!);
                break;
            case AnswerEventKind.Finish:
                Finish = e;
                break;
            case AnswerEventKind.Error:
                Fail(e.Text);
                break;
            case AnswerEventKind.Image:
                ContentSeen = true;
                _images++;
                break;
        }
    }

    /// <summary>A change of kind (text, arguments of a tool …) ends a word.</summary>
    void Count(in AnswerEvent e)
    {
        ContentSeen = true;
        if (e.Kind != _kind || e.Index != _index)
            _estimate.Break();
        (_kind, _index) = (e.Kind, e.Index);
        Span<byte> utf8 = stackalloc byte[512];
        for (var rest = e.Text.AsSpan(); rest.Length > 0;)
        {
            // A UTF-16 unit has at most three bytes. Halves of pairs may come in separate pieces and are counted all the same.
            var piece = rest[..Math.Min(rest.Length, utf8.Length / 3)];
            _estimate.Add(utf8[..Encoding.UTF8.GetBytes(piece, utf8)]);
            rest = rest[piece.Length..];
        }
    }
}
