using System.Globalization;
using System.Text;

namespace LlmGateway.Proxy.Responses;

/// <summary>What the gateway needs to know of a <c>POST /v1/responses</c>, and where in the body it stands. The rest stays bytes.</summary>
public sealed class ResponsesRequest : ModelRequest
{
    /// <summary>
    /// Input tokens that a thought of an earlier answer can cost when only its id is sent: the most that any model of OpenAI puts out in one answer.
    /// </summary>
    public const int TokensPerKeptThought = 128_000;

    public override int? MaxTokens => MaxOutputTokens.Value;

    protected override long KeptTokens => (long)KeptThoughts * TokensPerKeptThought;

    /// <summary>Thoughts in the input whose text the provider keeps.</summary>
    public int KeptThoughts { get; internal set; }

    internal Place ModelValue { get; set; }
    internal Limit MaxOutputTokens { get; set; }

    /// <summary>Offset of the brace that ends the body.</summary>
    internal int Closing { get; set; }

    /// <inheritdoc/>
    /// <remarks>Usage needs no asking for: every stream of this wire ends with it.</remarks>
    public override ReadOnlyMemory<byte> Rewrite(ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage)
    {
        var edits = new ByteEdits();
        if (Model != upstreamModel)
            edits.Replace(ModelValue.Start, ModelValue.Length, Quoted(upstreamModel));
        var digits = Encoding.UTF8.GetBytes(outputLimit.ToString(CultureInfo.InvariantCulture));
        // An explicit null is a value to replace: the member must not stand there twice.
        if (MaxOutputTokens.Place.Length == 0)
            edits.Insert(Closing, (byte[])[.. ",\"max_output_tokens\":"u8, .. digits]);
        else if (MaxOutputTokens.Value != outputLimit)
            edits.Replace(MaxOutputTokens.Place.Start, MaxOutputTokens.Place.Length, digits);
        return edits.IsEmpty ? body : edits.Apply(body.Span);
    }
}
