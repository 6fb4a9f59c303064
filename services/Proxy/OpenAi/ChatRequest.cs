using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.OpenAi;

/// <summary>What the gateway needs to know of a <c>POST /v1/chat/completions</c>, and where in the body it stands. The rest stays bytes.</summary>
public sealed class ChatRequest
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

    // What providers add around the texts: role and separators of a message, the frame of tool definitions, the frame of the whole.
    const int TokensPerMessage = 16, TokensForTools = 512, TokensForFrame = 64;

    public string Model { get; internal set; } = "";
    public bool Stream { get; internal set; }

    /// <summary>The caller asked for usage in the stream (<c>stream_options.include_usage</c>).</summary>
    public bool WantsUsage { get; internal set; }

    /// <summary>Output tokens per answer that the caller asked for at most: the smaller of <c>max_tokens</c> and <c>max_completion_tokens</c>.</summary>
    public int? MaxTokens => (MaxTokensMember.Value, MaxCompletionTokensMember.Value) switch
    {
        ({ } a, { } b) => Math.Min(a, b),
        var (a, b) => a ?? b,
    };

    /// <summary>How many answers (<c>n</c>), from 1.</summary>
    public int Choices { get; internal set; } = 1;

    public string? User { get; internal set; }

    /// <summary><c>metadata.session_id</c>.</summary>
    public string? SessionId { get; internal set; }

    public int Messages { get; internal set; }
    public int Images { get; internal set; }
    public bool HasTools { get; internal set; }
    public int BodyBytes { get; internal set; }

    internal Place ModelValue { get; set; }
    internal Limit MaxTokensMember { get; set; }
    internal Limit MaxCompletionTokensMember { get; set; }

    /// <summary>The value of <c>stream_options</c>, an object or null.</summary>
    internal Place StreamOptions { get; set; }
    internal bool StreamOptionsIsObject { get; set; }
    internal bool StreamOptionsIsEmpty { get; set; }
    internal Place IncludeUsage { get; set; }

    /// <summary>Offset of the brace that ends the body.</summary>
    internal int Closing { get; set; }

    /// <summary>Reads a body strictly. Refusals name the field; nothing that is accepted can cost more than <see cref="UpperBound"/> says.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, [NotNullWhen(true)] out ChatRequest? request, [NotNullWhen(false)] out Problem? problem)
    {
        (request, problem) = (null, null);
        try
        {
            request = ChatRequestReader.Read(body);
            return true;
        }
        catch (ProblemException e)
        {
            problem = e.Problem;
        }
        catch (JsonException e)
        {
            problem = Problems.Malformed($"The body is not valid JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}).");
        }
        return false;
    }

    /// <summary>
    /// An upper bound of the input tokens: no byte-level tokenizer makes more tokens than bytes, and no provider reads more than the model's context.
    /// </summary>
    /// <param name="contextTokens">The model's context, 0 when unknown.</param>
    public long InputBound(long contextTokens)
    {
        var bound = BodyBytes + ((long)Messages * TokensPerMessage) + ((long)Images * TokensPerImage) + (HasTools ? TokensForTools : 0) + TokensForFrame;
        return contextTokens > 0 ? Math.Min(bound, contextTokens) : bound;
    }

    /// <summary>The body for the provider; the same memory when nothing has to change.</summary>
    /// <inheritdoc cref="Edits"/>
    public ReadOnlyMemory<byte> Rewrite(ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage)
    {
        var edits = Edits(upstreamModel, outputLimit, injectUsage);
        return edits.IsEmpty ? body : edits.Apply(body.Span);
    }

    /// <summary>What must differ in the body that the provider gets.</summary>
    /// <param name="upstreamModel">The provider's own name of the model.</param>
    /// <param name="outputLimit">Output tokens per answer that are reserved; becomes the limit in the request.</param>
    /// <param name="injectUsage">Ask for usage in a stream even when the caller did not; <see cref="ChatRelay"/> hides it again.</param>
    public ByteEdits Edits(string upstreamModel, long outputLimit, bool injectUsage)
    {
        var edits = new ByteEdits();
        if (Model != upstreamModel)
            edits.Replace(ModelValue.Start, ModelValue.Length, Quoted(upstreamModel));
        SetLimit(edits, outputLimit);
        if (injectUsage && Stream && !WantsUsage)
            AskForUsage(edits);
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
        // An explicit null is a value to replace: the member must not stand there twice.
        if (MaxCompletionTokensMember.Place.Length > 0)
            edits.Replace(MaxCompletionTokensMember.Place.Start, MaxCompletionTokensMember.Place.Length, digits);
        else
            edits.Insert(Closing, (byte[])[.. ",\"max_completion_tokens\":"u8, .. digits]);
    }

    void AskForUsage(ByteEdits edits)
    {
        if (IncludeUsage.Length > 0)
            edits.Replace(IncludeUsage.Start, IncludeUsage.Length, "true"u8.ToArray());
        else if (StreamOptionsIsObject)
            edits.Insert(StreamOptions.Start + 1, (StreamOptionsIsEmpty ? "\"include_usage\":true"u8 : "\"include_usage\":true,"u8).ToArray());
        else if (StreamOptions.Length > 0)
            edits.Replace(StreamOptions.Start, StreamOptions.Length, "{\"include_usage\":true}"u8.ToArray());
        else
            edits.Insert(Closing, ",\"stream_options\":{\"include_usage\":true}"u8.ToArray());
    }

    static byte[] Quoted(string text) => Encoding.UTF8.GetBytes($"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"");

    /// <summary>Where a value stands in the body; empty when the member is absent.</summary>
    internal readonly record struct Place(int Start, int Length);

    /// <summary>A limit in the body; without a value it is absent or null.</summary>
    internal readonly record struct Limit(Place Place, int? Value);
}
