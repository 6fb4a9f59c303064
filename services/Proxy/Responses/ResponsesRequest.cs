using System.Globalization;
using System.Text;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.ResponseState;

namespace LlmGateway.Proxy.Responses;

/// <summary>What the gateway needs from a <c>POST /v1/responses</c>, and where it stands in the body. All else stays bytes.</summary>
public sealed class ResponsesRequest : ModelRequest
{
    public override int? MaxTokens => MaxOutputTokens.Value;

    /// <summary>What becomes of the answer. Null in a batch, whose answers cannot be continued.</summary>
    public ResponseTurn? Turn { get; internal set; }

    /// <summary>Without its encrypted text a thought could not be said again, and the next turn would begin without it.</summary>
    public override bool AsksForMore => Turn is { Stores: true } && !IncludesThoughts;

    internal Place ModelValue { get; set; }
    internal Place ServiceTierValue { get; set; }
    internal Limit MaxOutputTokens { get; set; }
    internal Place Input { get; set; }
    internal Place Store { get; set; }
    internal Place Include { get; set; }

    /// <summary>The caller asks for encrypted thoughts itself.</summary>
    internal bool IncludesThoughts { get; set; }

    /// <summary>Offset of the closing brace of the body.</summary>
    internal int Closing { get; set; }

    /// <inheritdoc/>
    /// <remarks>
    /// Every stream of this wire ends with usage. Providers keep nothing, whatever the caller wants kept here: what they kept would be
    /// readable for every customer who guesses its id.
    /// </remarks>
    public override ReadOnlyMemory<byte> Rewrite(
        ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage, bool searches = false, bool plainTier = false)
    {
        var edits = new ByteEdits();
        if (Model != upstreamModel)
            edits.Replace(ModelValue.Start, ModelValue.Length, Quoted(upstreamModel));
        Hosted?.Remove(edits, body.Span, searches);
        var digits = Encoding.UTF8.GetBytes(outputLimit.ToString(CultureInfo.InvariantCulture));
        // An explicit null is replaced, so that the member does not stand there twice.
        if (MaxOutputTokens.Place.Length == 0)
            edits.Insert(Closing, (byte[])[.. ",\"max_output_tokens\":"u8, .. digits]);
        else if (MaxOutputTokens.Value != outputLimit)
            edits.Replace(MaxOutputTokens.Place.Start, MaxOutputTokens.Place.Length, digits);
        if (Store.Length == 0)
            edits.Insert(Closing, ",\"store\":false"u8.ToArray());
        else if (!body.Span.Slice(Store.Start, Store.Length).SequenceEqual("false"u8))
            edits.Replace(Store.Start, Store.Length, "false"u8.ToArray());
        if (plainTier)
            ServiceTier.AskForPlain(edits, body.Span, ServiceTierValue, Closing);
        if (injectUsage && AsksForMore)
            AskForThoughts(edits, body.Span);
        return edits.IsEmpty ? body : edits.Apply(body.Span);
    }

    void AskForThoughts(ByteEdits edits, ReadOnlySpan<byte> body)
    {
        const string Thoughts = "\"reasoning.encrypted_content\"";
        if (Include.Length == 0)
            edits.Insert(Closing, Encoding.UTF8.GetBytes($",\"include\":[{Thoughts}]"));
        else if (body[Include.Start] == 'n')
            edits.Replace(Include.Start, Include.Length, Encoding.UTF8.GetBytes($"[{Thoughts}]"));
        else if (body[Include.Start] == '[')
        {
            var isEmpty = body.Slice(Include.Start + 1, Include.Length - 2).Trim(" \t\r\n"u8).IsEmpty;
            edits.Insert(Include.Start + 1, Encoding.UTF8.GetBytes(isEmpty ? Thoughts : $"{Thoughts},"));
        }
    }
}
