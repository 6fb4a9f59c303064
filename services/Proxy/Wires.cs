using LlmGateway.Proxy.OpenAi;

namespace LlmGateway.Proxy;

/// <summary>The wires that the gateway speaks, and which of them a provider is spoken to in.</summary>
public static class Wires
{
    public static readonly ConversationWire Chat = new ChatWire();
    public static readonly Wire Embeddings = new EmbeddingsWire();
    public static readonly Wire Moderations = new ModerationsWire();
    public static readonly Wire Images = new ImagesWire();
    public static readonly Wire Speech = new SpeechWire();

    /// <summary>The wire for a provider: the caller's own where the provider speaks it, so that bytes pass through.</summary>
    /// <param name="provider">The connection's <c>wire</c>.</param>
    public static Wire Of(string provider, Wire caller) => provider switch
    {
        _ => caller,
    };
}
