using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>A wire of conversations. Its requests and answers can be translated to and from every other such wire.</summary>
public abstract class ConversationWire : Wire
{
    /// <summary>Turns a request of this wire into a <see cref="Conversation"/>.</summary>
    /// <param name="request">The result of <see cref="Wire.Read"/> for the same body.</param>
    /// <exception cref="ProblemException">The request contains something that only this wire can express. The message names the
    /// field.</exception>
    public abstract Conversation Understand(ReadOnlySpan<byte> body, ModelRequest request);

    /// <summary>Writes a <see cref="Conversation"/> as a request of this wire.</summary>
    /// <param name="outputLimit">Output tokens that the hold pays for.</param>
    /// <exception cref="ProblemException">This wire cannot express the conversation. The message names the caller's field.</exception>
    public abstract byte[] Compose(Conversation conversation, string upstreamModel, long outputLimit, bool stream);

    /// <summary>Reads answers of this wire into events.</summary>
    public abstract AnswerReader NewReader();

    /// <summary>Writes events as an answer of this wire.</summary>
    public abstract AnswerWriter NewWriter(AnswerHead head);

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new EventMeter(NewReader());
}
