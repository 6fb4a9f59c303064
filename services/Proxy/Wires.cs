using LlmGateway.Proxy.Gemini;
using LlmGateway.Proxy.OpenAi;

namespace LlmGateway.Proxy;

/// <summary>The wires that the gateway speaks, and which of them a provider is spoken to in.</summary>
public static class Wires
{
    public static readonly Wire Chat = new ChatWire();
    public static readonly Wire Gemini = new GeminiWire();

    /// <summary>The wire for a provider: the caller's own where the provider speaks it, so that bytes pass through.</summary>
    /// <param name="provider">The connection's <c>wire</c>.</param>
    public static Wire Of(string provider, Wire caller) => provider switch
    {
        "gemini" => Gemini,
        _ when caller == Gemini => Chat,
        _ => caller,
    };
}
