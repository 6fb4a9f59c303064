namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Joins the halves of a character that a provider sent in two pieces. Half of one has no UTF-8, so the caller would get two marks of a
/// lost character instead.
/// </summary>
struct SplitCharacters
{
    AnswerEvent _half;

    /// <summary>The event with what was kept before it, and without the half character at its end, which is kept.</summary>
    public AnswerEvent Join(in AnswerEvent e)
    {
        if (e.Text is not { Length: > 0 } || !IsText(e.Kind))
            return e;
        var text = _half.Text is not null && (_half.Kind, _half.Index) == (e.Kind, e.Index) ? _half.Text + e.Text : e.Text;
        if (!ReferenceEquals(text, e.Text))
            _half = default;
        if (!char.IsHighSurrogate(text[^1]))
            return ReferenceEquals(text, e.Text) ? e : e with { Text = text };
        _half = e with { Text = text[^1..] };
        return e with { Text = text[..^1] };
    }

    static bool IsText(AnswerEventKind kind) =>
        kind is AnswerEventKind.Text or AnswerEventKind.Reasoning or AnswerEventKind.Refusal or AnswerEventKind.ToolArguments;
}
