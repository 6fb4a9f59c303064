using System.Text.Json;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// How fast a request is served, which changes its price: only the plain tier has one here. A request that names no tier, or
/// <c>auto</c>, is served in the tier that the provider's account is set to, so OpenAI's wires are asked for the plain one. What is served
/// all the same in another tier is marked on the usage record.
/// </summary>
public static class ServiceTier
{
    /// <summary>The reason on the usage record when the provider served a tier that has no price here.</summary>
    public const string Unpriced = "tier_unpriced";

    /// <summary>The plain tier in the words of OpenAI, Anthropic and Groq. Batches have prices of their own.</summary>
    static readonly byte[][] Priced =
        ["default"u8.ToArray(), "standard"u8.ToArray(), "auto"u8.ToArray(), "on_demand"u8.ToArray(), "batch"u8.ToArray(), []];

    static readonly byte[] Plain = "\"default\""u8.ToArray(), PlainMember = ",\"service_tier\":\"default\""u8.ToArray();

    /// <exception cref="ProblemException">Another tier is asked for.</exception>
    public static void Check(ref StrictJson json)
    {
        if (json.Token != JsonTokenType.Null && !json.IsString("auto"u8) && !json.IsString("default"u8))
            throw Unpriceable("service_tier", "only the tiers 'auto' and 'default' have a price");
    }

    /// <param name="place">Where the caller's tier stands.</param>
    /// <param name="closing">Offset of the closing brace of the body.</param>
    internal static void AskForPlain(ByteEdits edits, ReadOnlySpan<byte> body, ModelRequest.Place place, int closing)
    {
        if (place.Length == 0)
            edits.Insert(closing, PlainMember);
        else if (!body.Slice(place.Start, place.Length).SequenceEqual(Plain))
            edits.Replace(place.Start, place.Length, Plain);
    }

    /// <summary>True for a tier without a price.</summary>
    /// <param name="reader">On the value of <c>service_tier</c> in an answer. Null and the like are no tier.</param>
    internal static bool IsUnpriced(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
            return false;
        foreach (var priced in Priced)
            if (reader.Has(priced))
                return false;
        return true;
    }
}
