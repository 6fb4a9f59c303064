using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// What the gateway needs to know of a request for a model, whatever its wire, and where in the body it stands. The rest stays bytes. Nothing that a wire's reader
/// accepts can cost more than <see cref="UpperBound"/> says of these figures.
/// </summary>
public abstract class ModelRequest
{
    /// <summary>Longest model name, in characters.</summary>
    public const int MaxModelName = 256;

    /// <summary>Most answers to one question (<c>n</c>).</summary>
    public const int MaxChoices = 128;

    /// <summary>
    /// Input tokens that an image can cost at most. OpenAI's own worst case is 48 169: a high-detail image of 2 × 4 tiles for gpt-4o-mini, 2 833
    /// tokens and 5 667 for each tile. Remote and inlined images alike: neither is opened here.
    /// </summary>
    public const int TokensPerImage = 50_000;

    // What providers add around the texts: role and separators of a message, the frame of tool definitions (Anthropic's has up to 935), the frame of the whole.
    const int TokensPerMessage = 16, TokensForTools = 1024, TokensForFrame = 64;

    /// <summary>As the caller named it.</summary>
    public string Model { get; internal set; } = "";

    public bool Stream { get; internal set; }

    /// <summary>The caller reads usage in a stream, of its own accord or because the wire always has it.</summary>
    public virtual bool WantsUsage => true;

    /// <summary>The stream is one JSON array instead of server-sent events.</summary>
    public virtual bool StreamsAsArray => false;

    /// <summary>Output tokens per answer that the caller asked for at most; null when it did not say.</summary>
    public abstract int? MaxTokens { get; }

    /// <summary>How many answers, from 1.</summary>
    public int Choices { get; internal set; } = 1;

    /// <summary>Turns of the conversation.</summary>
    public int Messages { get; internal set; }

    public int Images { get; internal set; }
    public bool HasTools { get; internal set; }
    public int BodyBytes { get; internal set; }

    /// <summary>Input tokens at most that the body stands for and does not contain: what the provider keeps from an earlier answer.</summary>
    protected virtual long KeptTokens => 0;

    /// <summary>How many questions are asked, each of which may fill the model's context.</summary>
    protected virtual int Contexts => 1;

    /// <summary>
    /// The most that can be used by a call whose use is known before it is made; null for one whose output grows until its limit, which <see cref="UpperBound"/> prices by
    /// <see cref="InputBound"/> and that limit.
    /// </summary>
    public virtual Usage? MostUsage(ModelOffer model) => null;

    /// <summary>
    /// An upper bound of the input tokens: no byte-level tokenizer makes more tokens than bytes, and no provider reads more than the model's context.
    /// </summary>
    /// <param name="contextTokens">The model's context, 0 when unknown.</param>
    public long InputBound(long contextTokens)
    {
        var bound = BodyBytes + ((long)Messages * TokensPerMessage) + ((long)Images * TokensPerImage) + (HasTools ? TokensForTools : 0) + TokensForFrame + KeptTokens;
        return contextTokens > 0 ? Math.Min(bound, Contexts * contextTokens) : bound;
    }

    /// <summary>The body for a provider of the same wire, with what must differ; the same memory when nothing has to.</summary>
    /// <param name="upstreamModel">The provider's own name of the model.</param>
    /// <param name="outputLimit">Output tokens per answer that are reserved; becomes the limit in the request.</param>
    /// <param name="injectUsage">Ask for usage in a stream even when the caller did not; the relay hides it again.</param>
    public abstract ReadOnlyMemory<byte> Rewrite(ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage);

    /// <summary>A JSON string.</summary>
    protected static byte[] Quoted(string text) => Encoding.UTF8.GetBytes($"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"");

    /// <summary>Where a value stands in the body; empty when the member is absent.</summary>
    internal readonly record struct Place(int Start, int Length);

    /// <summary>A limit in the body; without a value it is absent or null.</summary>
    internal readonly record struct Limit(Place Place, int? Value);
}
