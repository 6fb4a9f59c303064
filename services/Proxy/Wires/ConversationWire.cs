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

    /// <summary>Writes a <see cref="Conversation"/> as a request of this wire. What the wire cannot say is noted in the conversation's
    /// <see cref="Conversation.LeftOut"/>.</summary>
    /// <param name="outputLimit">Output tokens that the hold pays for.</param>
    /// <exception cref="ProblemException">This wire cannot express the conversation. The message names the caller's field.</exception>
    public byte[] Compose(Conversation conversation, string upstreamModel, long outputLimit, bool stream)
    {
        conversation = Fitting.Fit(conversation, NamesOf(upstreamModel));
        foreach (var record in conversation.Records)
            if (!TakesRecords)
                conversation.LeftOut.Add(record.Field);
        if (!TakesCacheMarks && (conversation.Cache is not null || HasCacheMarks(conversation)))
            conversation.LeftOut.Add("cache_control");
        return Write(conversation, upstreamModel, outputLimit, stream);
    }

    /// <summary>What a model of this wire takes as names and ids.</summary>
    public abstract NameRules NamesOf(string upstreamModel);

    /// <summary>The wire has <see cref="Conversation.Records"/>.</summary>
    protected virtual bool TakesRecords => false;

    /// <summary>The wire has <see cref="Part.Cache"/>.</summary>
    protected virtual bool TakesCacheMarks => false;

    /// <param name="conversation">Fitted to <see cref="NamesOf"/>.</param>
    /// <inheritdoc cref="Compose"/>
    protected abstract byte[] Write(Conversation conversation, string upstreamModel, long outputLimit, bool stream);

    static bool HasCacheMarks(Conversation said) => said.Tools.Any(tool => tool.Cache is not null)
        || said.System.Any(part => part.Cache is not null)
        || said.Turns.Any(turn => turn.Parts.Any(part => part.Cache is not null));

    /// <summary>Reads answers of this wire into events.</summary>
    public abstract AnswerReader NewReader();

    /// <summary>Writes events as an answer of this wire.</summary>
    public abstract AnswerWriter NewWriter(AnswerHead head);

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new EventMeter(NewReader());
}
