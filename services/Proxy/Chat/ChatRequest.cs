using System.Globalization;
using System.Text;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// What the gateway needs from a <c>POST /v1/chat/completions</c>, and where it stands in the body. All else stays bytes.
/// </summary>
public sealed class ChatRequest : ModelRequest
{
    /// <summary>The caller asked for usage in the stream (<c>stream_options.include_usage</c>).</summary>
    public override bool WantsUsage => StreamOptions.AsksForUsage;

    /// <summary>
    /// Largest output per answer that the caller asked for, in tokens: the smaller of <c>max_tokens</c> and <c>max_completion_tokens</c>.
    /// </summary>
    public override int? MaxTokens => (MaxTokensMember.Value, MaxCompletionTokensMember.Value) switch
    {
        ({ } a, { } b) => Math.Min(a, b),
        var (a, b) => a ?? b,
    };

    internal Place ModelValue { get; set; }
    internal Place ServiceTierValue { get; set; }
    internal Limit MaxTokensMember { get; set; }
    internal Limit MaxCompletionTokensMember { get; set; }

    internal StreamOptions StreamOptions { get; set; }

    /// <summary>Offset of the closing brace of the body.</summary>
    internal int Closing { get; set; }

    public override ReadOnlyMemory<byte> Rewrite(
        ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage, bool searches = false, bool plainTier = false)
    {
        var edits = Edits(body.Span, upstreamModel, outputLimit, injectUsage);
        if (plainTier)
            ServiceTier.AskForPlain(edits, body.Span, ServiceTierValue, Closing);
        return edits.IsEmpty ? body : edits.Apply(body.Span);
    }

    /// <summary>The edits that the provider's body needs.</summary>
    /// <inheritdoc cref="Rewrite"/>
    public ByteEdits Edits(ReadOnlySpan<byte> body, string upstreamModel, long outputLimit, bool injectUsage)
    {
        var edits = new ByteEdits();
        if (Model != upstreamModel)
            edits.Replace(ModelValue.Start, ModelValue.Length, Quoted(upstreamModel));
        Hosted?.Remove(edits, body);
        SetLimit(edits, outputLimit);
        if (injectUsage && Stream && !WantsUsage)
            StreamOptions.AskForUsage(edits, Closing);
        return edits;
    }

    void SetLimit(ByteEdits edits, long outputLimit)
    {
        var digits = Encoding.UTF8.GetBytes(outputLimit.ToString(CultureInfo.InvariantCulture));
        foreach (var member in (ReadOnlySpan<Limit>)[MaxTokensMember, MaxCompletionTokensMember])
            if (member.Value is { } value && value != outputLimit)
                edits.Replace(member.Place.Start, member.Place.Length, digits);
        if (MaxTokens is not null)
            return;
        // An explicit null is replaced, so that the member does not stand there twice.
        if (MaxCompletionTokensMember.Place.Length > 0)
            edits.Replace(MaxCompletionTokensMember.Place.Start, MaxCompletionTokensMember.Place.Length, digits);
        else
            edits.Insert(Closing, (byte[])[.. ",\"max_completion_tokens\":"u8, .. digits]);
    }
}
