using System.Globalization;
using System.Text;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// What the gateway needs from a <c>:generateContent</c> or <c>:streamGenerateContent</c>, and where it stands in the body. The model
/// stands in the address.
/// </summary>
public sealed class GeminiRequest : ModelRequest
{
    /// <summary>The stream is wanted as server-sent events (<c>alt=sse</c>).</summary>
    internal bool Sse { get; set; }

    public override bool StreamsAsArray => Stream && !Sse;

    /// <summary>
    /// <c>generationConfig.maxOutputTokens</c>. It bounds thoughts and answer together: googleapis/python-genai issue 2062 measured limits
    /// of 1 024 to 32 768, and the sum ended exactly there with <c>MAX_TOKENS</c>. So thoughts need no bound of their own.
    /// </summary>
    public override int? MaxTokens => MaxOutputTokens.Value;

    internal Limit MaxOutputTokens { get; set; }

    /// <summary>The model as some clients repeat it in the body.</summary>
    internal Place ModelValue { get; set; }

    /// <summary>The value of <c>generationConfig</c>, an object or null.</summary>
    internal Place Config { get; set; }
    internal bool ConfigIsObject { get; set; }
    internal bool ConfigIsEmpty { get; set; }

    /// <summary>Offset of the closing brace of the body.</summary>
    internal int Closing { get; set; }

    public override ReadOnlyMemory<byte> Rewrite(
        ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage, bool searches = false, bool plainTier = false)
    {
        if (MaxTokens == outputLimit && Hosted is null && ModelValue.Length == 0)
            return body;
        var edits = new ByteEdits();
        if (ModelValue.Length > 0)
            edits.Replace(ModelValue.Start, ModelValue.Length, Quoted($"models/{GeminiTarget.ModelOf(upstreamModel)}"));
        Hosted?.RemoveMembers(edits, body.Span, name => GeminiParameters.Tool.Find(Encoding.UTF8.GetBytes(name)) is not null);
        if (MaxTokens != outputLimit)
            SetLimit(edits, outputLimit);
        return edits.Apply(body.Span);
    }

    void SetLimit(ByteEdits edits, long outputLimit)
    {
        var digits = Encoding.UTF8.GetBytes(outputLimit.ToString(CultureInfo.InvariantCulture));
        byte[] member = [.. "\"maxOutputTokens\":"u8, .. digits];
        // An explicit null is replaced, so that the member does not stand there twice.
        if (MaxOutputTokens.Place.Length > 0)
            edits.Replace(MaxOutputTokens.Place.Start, MaxOutputTokens.Place.Length, digits);
        else if (ConfigIsObject)
            edits.Insert(Config.Start + 1, ConfigIsEmpty ? member : [.. member, (byte)',']);
        else if (Config.Length > 0)
            edits.Replace(Config.Start, Config.Length, (byte[])[(byte)'{', .. member, (byte)'}']);
        else
            edits.Insert(Closing, (byte[])[.. ",\"generationConfig\":{"u8, .. member, (byte)'}']);
    }
}
