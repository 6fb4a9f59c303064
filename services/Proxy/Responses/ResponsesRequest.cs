using System.Globalization;
using System.Text;

namespace LlmGateway.Proxy.Responses;

/// <summary>What the gateway needs from a <c>POST /v1/responses</c>, and where it stands in the body. All else stays bytes.</summary>
public sealed class ResponsesRequest : ModelRequest
{
    /// <summary>
    /// Most input tokens of an earlier answer's thought that is sent by its id alone: the largest output of any OpenAI model in one answer.
    /// </summary>
    public const int TokensPerKeptThought = 128_000;

    public override int? MaxTokens => MaxOutputTokens.Value;

    protected override long KeptTokens => (long)KeptThoughts * TokensPerKeptThought;

    /// <summary>Thoughts in the input whose text the provider stores.</summary>
    public int KeptThoughts { get; internal set; }

    internal Place ModelValue { get; set; }
    internal Limit MaxOutputTokens { get; set; }

    /// <summary>Offset of the closing brace of the body.</summary>
    internal int Closing { get; set; }

    /// <inheritdoc/>
    /// <remarks>Usage is never asked for: every stream of this wire ends with it.</remarks>
    public override ReadOnlyMemory<byte> Rewrite(ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage)
    {
        var edits = new ByteEdits();
        if (Model != upstreamModel)
            edits.Replace(ModelValue.Start, ModelValue.Length, Quoted(upstreamModel));
        Hosted?.Remove(edits, body.Span);
        var digits = Encoding.UTF8.GetBytes(outputLimit.ToString(CultureInfo.InvariantCulture));
        // An explicit null is replaced, so that the member does not stand there twice.
        if (MaxOutputTokens.Place.Length == 0)
            edits.Insert(Closing, (byte[])[.. ",\"max_output_tokens\":"u8, .. digits]);
        else if (MaxOutputTokens.Value != outputLimit)
            edits.Replace(MaxOutputTokens.Place.Start, MaxOutputTokens.Place.Length, digits);
        return edits.IsEmpty ? body : edits.Apply(body.Span);
    }
}
