using System.Buffers;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Chat;

/// <summary><c>POST /v1/chat/completions</c>, OpenAI's and everybody's.</summary>
/// <param name="limitMember">
/// What a provider calls the output limit when a request is translated for it. OpenAI's reasoning models refuse <c>max_tokens</c>; many imitators know nothing else and
/// pass over <c>max_completion_tokens</c> in silence, so that an answer could outgrow what was reserved.
/// </param>
public sealed class ChatWire(string limitMember) : ConversationWire
{
    public override string Name => "OpenAI chat";

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) => ChatRequestReader.Read(body);

    public override string Path(string upstreamModel, bool stream) => "/v1/chat/completions";

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new ChatMeter(counts);

    public override StreamRelay NewRelay(ModelRequest request) => new ChatRelay(request, new ChatMeter());

    public override Conversation Understand(ReadOnlySpan<byte> body, ModelRequest request) => ChatUnderstanding.Read(body);

    public override byte[] Compose(Conversation conversation, string upstreamModel, long outputLimit, bool stream) =>
        JsonPen.Write(json => new ChatComposer(conversation, Name, json).WriteBody(upstreamModel, outputLimit, limitMember, stream));

    public override AnswerReader NewReader() => new ChatReader();

    public override AnswerWriter NewWriter(AnswerHead head) => new ChatWriter(head);

    public override void WriteStreamError(IBufferWriter<byte> to, Problem problem, string requestId)
    {
        to.Write("data: "u8);
        WriteError(to, problem, requestId);
        to.Write("\n\ndata: [DONE]\n\n"u8);
    }
}
