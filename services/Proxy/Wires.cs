using LlmGateway.Proxy.OpenAi;
using LlmGateway.Proxy.Responses;

namespace LlmGateway.Proxy;

/// <summary>The wires that the gateway speaks, and which of them a provider is spoken to in.</summary>
public static class Wires
{
    public static readonly Wire Chat = new ChatWire("max_completion_tokens");

    public static readonly Wire Responses = new ResponsesWire();

    /// <summary>The chat wire at providers that imitate OpenAI; only requests that are translated differ.</summary>
    static readonly Wire CompatibleChat = new ChatWire("max_tokens");

    /// <summary>The wire for a provider: the caller's own where the provider speaks it, so that bytes pass through.</summary>
    /// <param name="provider">The connection's <c>wire</c>.</param>
    public static Wire Of(string provider, Wire caller) => provider switch
    {
        "openai" => caller == Responses ? Responses : Chat,
        "openai-compatible" => caller == Chat ? Chat : CompatibleChat,
        "responses" => Responses,
        _ => caller,
    };
}
