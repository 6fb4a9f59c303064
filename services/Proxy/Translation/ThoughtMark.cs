using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// The signature that the gateway gives to thoughts which a chat provider said as <c>reasoning_content</c>. Thinking models behind that
/// wire (DeepSeek's, Kimi) refuse the results of a tool without the thoughts that led to its call. Callers of other wires send thoughts
/// back with their signature, and it tells whose they are: they are said to the provider that had them, and to no other.
/// </summary>
public static class ThoughtMark
{
    /// <summary>What <see cref="Chat.ChatReader"/> tells, which does not know its provider.</summary>
    public const string Unnamed = "reasoningcontent";

    const int NameLength = 16;

    /// <summary>Digits and letters in fours: Gemini's clients decode signatures as base64 of either kind.</summary>
    public static string Of(string provider) =>
        Unnamed + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(provider)))[..NameLength];

    public static bool IsMark(string? signature) =>
        signature?.Length == Unnamed.Length + NameLength && signature.StartsWith(Unnamed, StringComparison.Ordinal);

    /// <summary>Names the provider in the marks of its answer.</summary>
    public static void Name(List<AnswerEvent> events, string provider)
    {
        foreach (ref var e in CollectionsMarshal.AsSpan(events))
            if (e is { Kind: AnswerEventKind.Signature, Text: Unnamed })
                e = e with { Text = Of(provider) };
    }

    /// <summary>The conversation without thoughts that are marked as another provider's.</summary>
    public static Conversation For(ProviderConnection provider, Conversation said)
    {
        var own = provider.Wire == ProviderWire.OpenAiCompatible ? Of(provider.Id) : null;
        return said with
        {
            Turns = [.. said.Turns.Select(turn => turn.Parts.Any(IsForeign)
                ? turn with { Parts = [.. turn.Parts.Where(part => !IsForeign(part))] }
                : turn)],
        };

        bool IsForeign(Part part) => part is ReasoningPart thought && IsMark(thought.Signature) && thought.Signature != own;
    }
}
