using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// What the gateway must know of a request for a model, on any wire, and where that stands in the body. Everything else stays bytes. No
/// request that a wire's reader accepts can cost more than <see cref="UpperBound"/> computes from these figures.
/// </summary>
public abstract class ModelRequest
{
    /// <summary>Longest model name, in characters.</summary>
    public const int MaxModelName = 256;

    /// <summary>Most answers to one question (<c>n</c>).</summary>
    public const int MaxChoices = 128;

    /// <summary>Most tokens of the definition that a provider adds for a built-in tool, which the caller runs.</summary>
    public const int TokensPerBuiltInTool = 2048;

    // Providers add these tokens to what the caller wrote. They separate messages, frame the definitions of tools (up to 935 at Anthropic),
    // and frame the request.
    const int TokensPerMessage = 16, TokensForTools = 1024, TokensForFrame = 64;

    /// <summary>The model as the caller named it.</summary>
    public string Model { get; internal set; } = "";

    public bool Stream { get; internal set; }

    /// <summary>Whom the caller acts for, by its own name: <c>user</c>.</summary>
    public string? User { get; internal set; }

    /// <summary><c>metadata.session_id</c>.</summary>
    public string? SessionId { get; internal set; }

    /// <summary>The caller reads usage in a stream, by its own request or because the wire always has it.</summary>
    public virtual bool WantsUsage => true;

    /// <summary>
    /// For a provider of the same wire, the gateway adds something that the caller did not ask for and the provider may not know.
    /// </summary>
    public virtual bool AsksForMore => Stream && !WantsUsage;

    /// <summary>The stream is one JSON array instead of server-sent events.</summary>
    public virtual bool StreamsAsArray => false;

    /// <summary>The caller's limit of output tokens per answer. Null when it named none.</summary>
    public abstract int? MaxTokens { get; }

    /// <summary>Number of answers, from 1.</summary>
    public int Choices { get; internal set; } = 1;

    /// <summary>Turns of the conversation.</summary>
    public int Messages { get; internal set; }

    public int Images { get; internal set; }
    public bool HasTools { get; internal set; }

    /// <summary>Tools whose definition stands at the provider; see <see cref="TokensPerBuiltInTool"/>.</summary>
    public int BuiltInTools { get; internal set; }

    /// <summary>
    /// The first thing in the body that is larger than its text by what nobody here knows: a document, an item of a kind that is new. Only
    /// the model's context bounds it. Null when there is none.
    /// </summary>
    public string? BeyondText { get; internal set; }

    public bool MayHaveImages => Images > 0 || BeyondText is not null;

    /// <summary>What is not sent on even to a provider of the same wire; the caller is told. See <see cref="HostedTools"/>.</summary>
    /// <param name="searches">The provider may search the web: <see cref="Searches"/> is above 0.</param>
    public IReadOnlyList<string> LeftOut(bool searches = false) => Hosted?.LeftOut(searches) ?? [];

    internal HostedTools? Hosted { get; set; }

    /// <summary>How often the provider of an offer may search the web for this request. 0 where its search is not sent on.</summary>
    /// <param name="passes">The provider speaks the caller's wire. Its search has no words in another one.</param>
    public int Searches(ModelOffer model, bool passes) => passes && Hosted is { } hosted ? hosted.SearchesOf(model) : 0;

    public int BodyBytes { get; internal set; }

    /// <summary>Number of questions. Each may fill the model's context.</summary>
    protected virtual int Contexts => 1;

    /// <summary>
    /// The most that the call can use, when that is known before it is made. Null when the output grows up to a limit. Then
    /// <see cref="UpperBound"/> prices <see cref="InputBound"/> and that limit.
    /// </summary>
    public virtual Usage? MostUsage(ModelOffer model) => null;

    /// <summary>
    /// Upper bound of the input tokens. No byte-level tokenizer makes more tokens than bytes, and no provider reads more than the model's
    /// context.
    /// </summary>
    /// <param name="contextTokens">The model's context; 0 when unknown.</param>
    /// <param name="searches">How often the provider may search. It reads everything again after each search, with what it found.</param>
    public long InputBound(long contextTokens, int searches = 0)
    {
        if (searches > 0)
            return (long)Int128.Min((Int128)contextTokens * (searches + 1) * Contexts, long.MaxValue);
        if (BeyondText is not null && contextTokens > 0)
            return Contexts * contextTokens;
        var bound = BodyBytes + (
            (long)Messages * TokensPerMessage) + ((long)Images * TokenEstimate.MostTokensPerImage) + (HasTools
                ? TokensForTools
                : 0) + ((long)BuiltInTools * TokensPerBuiltInTool) + TokensForFrame;
        return contextTokens > 0 ? Math.Min(bound, Contexts * contextTokens) : bound;
    }

    /// <summary>The body for a provider of the same wire, with the necessary edits. Without edits it is the same memory.</summary>
    /// <param name="upstreamModel">The provider's own name of the model.</param>
    /// <param name="outputLimit">Output tokens per answer that the hold pays for. They become the limit in the request.</param>
    /// <param name="injectUsage">True asks for what the caller did not, see <see cref="AsksForMore"/>: usage in a stream, which the relay
    /// removes again, and thoughts that can be kept.</param>
    /// <param name="searches">The provider may search the web: <see cref="Searches"/> is above 0.</param>
    /// <param name="plainTier">The provider knows <c>service_tier</c>, where the wire has it; see <see cref="Chat.ServiceTier"/>.</param>
    public abstract ReadOnlyMemory<byte> Rewrite(
        ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage, bool searches = false, bool plainTier = false);

    /// <summary>A JSON string.</summary>
    protected static byte[] Quoted(string text) => JsonSerializer.SerializeToUtf8Bytes(text, Relaxed);

    static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Where a value stands in the body; empty when the member is absent.</summary>
    internal readonly record struct Place(int Start, int Length);

    /// <summary>A limit in the body. Without a value the member is absent or null.</summary>
    internal readonly record struct Limit(Place Place, int? Value);
}
