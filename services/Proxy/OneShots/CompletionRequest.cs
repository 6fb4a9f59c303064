using LlmGateway.Proxy.Chat;
using System.Globalization;
using System.Text;

namespace LlmGateway.Proxy.OneShots;

/// <summary>
/// What the gateway needs from a <c>POST /v1/completions</c>. It has <c>n</c> choices for each prompt, and a prompt is framed like a
/// message.
/// </summary>
public sealed class CompletionRequest : ModelRequest
{
    /// <summary>
    /// The vendor's default of <c>max_tokens</c>. It is sent to every provider, because some would go on to the end of the context.
    /// </summary>
    public const int UsualMaxTokens = 16;

    public override bool WantsUsage => StreamOptions.AsksForUsage;

    public override int? MaxTokens => MaxTokensMember.Value ?? UsualMaxTokens;

    /// <summary>
    /// Our count of the prompts that the answers repeat (<c>echo</c>), over all choices; null when they are not repeated.
    /// </summary>
    public long? EchoedTokens { get; internal set; }

    protected override int Contexts => Messages;

    internal Place ModelValue { get; set; }
    internal Limit MaxTokensMember { get; set; }
    internal StreamOptions StreamOptions { get; set; }

    /// <summary>Offset of the closing brace of the body.</summary>
    internal int Closing { get; set; }

    public override ReadOnlyMemory<byte> Rewrite(
        ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage, bool searches = false, bool plainTier = false)
    {
        var edits = new ByteEdits();
        if (Model != upstreamModel)
            edits.Replace(ModelValue.Start, ModelValue.Length, Quoted(upstreamModel));
        var limit = outputLimit.ToString(CultureInfo.InvariantCulture);
        if (MaxTokensMember.Place.Length == 0)
            edits.Insert(Closing, Encoding.UTF8.GetBytes($",\"max_tokens\":{limit}"));
        else if (MaxTokensMember.Value != outputLimit)
            edits.Replace(MaxTokensMember.Place.Start, MaxTokensMember.Place.Length, Encoding.UTF8.GetBytes(limit));
        if (injectUsage && Stream && !WantsUsage)
            StreamOptions.AskForUsage(edits, Closing);
        return edits.IsEmpty ? body : edits.Apply(body.Span);
    }
}
