using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>A wire of conversations, which can be said in no wire's words, so that any of them can stand before any other.</summary>
public abstract class ConversationWire : Wire
{
    /// <summary>Says in no wire's words what a request asks for.</summary>
    /// <param name="request">The same body as <see cref="Wire.Read"/> gave it.</param>
    /// <exception cref="ProblemException">It asks for something that only this wire can say; the message names the field.</exception>
    public abstract Conversation Understand(ReadOnlySpan<byte> body, ModelRequest request);

    /// <summary>Says in this wire's words what a caller of another wire asked for.</summary>
    /// <param name="outputLimit">Output tokens that are reserved.</param>
    /// <exception cref="ProblemException">This wire cannot say it; the message names the caller's field.</exception>
    public abstract byte[] Compose(Conversation conversation, string upstreamModel, long outputLimit, bool stream);

    /// <summary>Reads an answer of this wire into no wire's words.</summary>
    public abstract AnswerReader NewReader();

    /// <summary>Says an answer of another wire in this one's words.</summary>
    public abstract AnswerWriter NewWriter(AnswerHead head);

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new EventMeter(NewReader());
}
