using LlmGateway.Proxy.Chat;
using System.Buffers;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.OneShots;

/// <summary>
/// <c>POST /v1/completions</c>, the wire before chat: it continues a text. Answers and streams are those of chat except for
/// <c>choices[].text</c>. It is not translated, because a text to be continued is no turn of a conversation.
/// </summary>
public sealed class CompletionsWire : Wire
{
    public override string Name => "OpenAI completions";

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) => CompletionRequestReader.Read(body);

    public override string Path(string upstreamModel, bool stream) => "/v1/completions";

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new ChatMeter(counts, (CompletionRequest)request);

    public override StreamRelay NewRelay(ModelRequest request) =>
        new ChatRelay(request, new ChatMeter(completion: (CompletionRequest)request));

    public override void WriteStreamError(IBufferWriter<byte> to, Problem problem, string requestId, int sequence = 0) =>
        Wires.Chat.WriteStreamError(to, problem, requestId);
}
