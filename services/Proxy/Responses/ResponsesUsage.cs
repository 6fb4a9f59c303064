using LlmGateway.Proxy.Chat;
using static LlmGateway.Proxy.Chat.ChatUsage;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// The usage object of the Responses wire: that of the chat wire with other names. Cached tokens are part of the input; reasoning is part
/// of the output.
/// </summary>
public static class ResponsesUsage
{
    const string InputDetails = "input_tokens_details", OutputDetails = "output_tokens_details";

    static readonly UsageField[] Fields =
    [
        .. AnthropicFields,
        new("", "input_tokens", (int)Count.Prompt),
        new("", "output_tokens", (int)Count.Completion),
        new("", "total_tokens", (int)Count.Total),
        new(InputDetails, "cached_tokens", (int)Count.Cached),
        new(InputDetails, "cache_write_tokens", (int)Count.CacheWrite),
        new(OutputDetails, "reasoning_tokens", (int)Count.Reasoning),
    ];

    /// <summary>Reads the text of a usage object. Never throws.</summary>
    public static ProviderUsage Read(ReadOnlySpan<byte> json) => ChatUsage.Read(json, Fields);
}
