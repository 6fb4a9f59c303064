using LlmGateway.Contracts;
using LlmGateway.Proxy.Anthropic;
using LlmGateway.Proxy.OpenAi;

namespace LlmGateway.Proxy;

/// <summary>The wires that the gateway speaks, and which of them a provider is spoken to in.</summary>
public static class Wires
{
    public static readonly ConversationWire Chat = new ChatWire();
    public static readonly ConversationWire Messages = new AnthropicWire();
    public static readonly Wire Embeddings = new EmbeddingsWire();
    public static readonly Wire Moderations = new ModerationsWire();
    public static readonly Wire Images = new ImagesWire();
    public static readonly Wire Speech = new SpeechWire();

    /// <summary>
    /// The wire for a provider: the caller's own where the provider speaks it, so that bytes pass through; another that the conversation is translated into; or null when neither is
    /// possible.
    /// </summary>
    /// <param name="provider">One of <see cref="ProviderWire"/>.</param>
    public static Wire? Of(string provider, Wire caller) => provider switch
    {
        ProviderWire.OpenAi or ProviderWire.OpenAiCompatible => caller is ConversationWire ? Chat : caller,
        ProviderWire.Anthropic => caller is ConversationWire ? Messages : null,
        _ => null,
    };
}
