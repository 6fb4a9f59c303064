using LlmGateway.Contracts;
using LlmGateway.Proxy.Anthropic;
using LlmGateway.Proxy.Gemini;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using LlmGateway.Proxy.Responses;

namespace LlmGateway.Proxy;

/// <summary>The wires of the gateway, and the wire for each provider.</summary>
public static class Wires
{
    public static readonly ConversationWire Chat = new ChatWire(isImitated: false);

    /// <summary>The chat wire of providers that imitate OpenAI. Only translated requests differ.</summary>
    static readonly ConversationWire CompatibleChat = new ChatWire(isImitated: true);

    public static readonly ConversationWire Responses = new ResponsesWire();
    public static readonly ConversationWire Messages = new AnthropicWire();
    public static readonly ConversationWire Gemini = new GeminiWire();
    public static readonly Wire Completions = new CompletionsWire();
    public static readonly Wire Embeddings = new EmbeddingsWire();
    public static readonly Wire GeminiEmbedding = new GeminiEmbeddingsWire(GeminiTarget.Embed);
    public static readonly Wire GeminiEmbeddings = new GeminiEmbeddingsWire(GeminiTarget.EmbedBatch);
    public static readonly Wire Moderations = new ModerationsWire();
    public static readonly Wire Images = new ImagesWire();
    public static readonly Wire Speech = new SpeechWire();
    public static readonly Wire Transcriptions = new TranscriptionsWire("/v1/audio/transcriptions");
    public static readonly Wire Translations = new TranscriptionsWire("/v1/audio/translations");

    /// <summary>
    /// The wire to speak with a provider. It is the caller's own if the provider speaks that, because then bytes pass through. Otherwise it
    /// is a wire to translate to. Null when neither is possible.
    /// </summary>
    /// <param name="provider">One of <see cref="ProviderWire"/>.</param>
    public static Wire? Of(string provider, Wire caller)
    {
        if (caller.Speaks(provider))
            return caller;
        return caller is not ConversationWire ? null : provider switch
        {
            ProviderWire.OpenAi => Chat,
            ProviderWire.OpenAiCompatible => CompatibleChat,
            ProviderWire.Responses => Responses,
            ProviderWire.Anthropic => Messages,
            ProviderWire.Gemini => Gemini,
            _ => null,
        };
    }
}
