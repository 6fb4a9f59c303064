using System.Buffers;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.OpenAi;

/// <summary><c>POST /v1/chat/completions</c>, OpenAI's and everybody's.</summary>
public sealed class ChatWire : ConversationWire
{
    public override string Name => "OpenAI chat";

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) => ChatRequestReader.Read(body);

    public override string Path(string upstreamModel, bool stream) => "/v1/chat/completions";

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new ChatMeter(counts);

    public override Relay NewRelay(ModelRequest request) => new ChatRelay((ChatRequest)request);

    public override Conversation Understand(ReadOnlySpan<byte> body, ModelRequest request) => throw new NotSupportedException();

    public override byte[] Compose(Conversation conversation, string upstreamModel, long outputLimit, bool stream) => throw new NotSupportedException();

    public override AnswerReader NewReader() => throw new NotSupportedException();

    public override AnswerWriter NewWriter(AnswerHead head) => throw new NotSupportedException();

    public override void WriteStreamError(IBufferWriter<byte> to, Problem problem, string requestId)
    {
        to.Write("data: "u8);
        WriteError(to, problem, requestId);
        to.Write("\n\ndata: [DONE]\n\n"u8);
    }
}
