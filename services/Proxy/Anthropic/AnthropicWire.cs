using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Anthropic;

/// <summary><c>POST /v1/messages</c>.</summary>
public sealed class AnthropicWire : ConversationWire
{
    internal const string WireName = "Anthropic messages", MessagesPath = "/v1/messages", CountPath = "/v1/messages/count_tokens",
        IdHeader = "request-id";

    public override string Name => WireName;

    public override bool Speaks(string provider) => provider == ProviderWire.Anthropic;

    public override IReadOnlyList<PassedHeader> PassedHeaders => AnthropicHeaders.All;

    public override string? RequestIdHeader => IdHeader;

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) => AnthropicRequestReader.Read(body, counting: false);

    public override string Path(string upstreamModel, bool stream) => MessagesPath;

    public override StreamRelay NewRelay(ModelRequest request) => new PassRelay(this);

    public override Conversation Understand(ReadOnlySpan<byte> body, ModelRequest request) => AnthropicUnderstanding.Understand(body);

    public override NameRules NamesOf(string upstreamModel) => NameRules.Anthropic;

    protected override bool TakesCacheMarks => true;

    protected override byte[] Write(Conversation conversation, string upstreamModel, long outputLimit, bool stream) =>
        AnthropicComposer.Compose(conversation, upstreamModel, outputLimit, stream);

    public override AnswerReader NewReader() => new AnthropicReader();

    public override AnswerWriter NewWriter(AnswerHead head) => new AnthropicWriter(head);

    public override void WriteError(IBufferWriter<byte> to, Problem problem, string requestId) =>
        AnthropicErrors.Write(to, problem, requestId);

    public override void WriteStreamError(IBufferWriter<byte> to, Problem problem, string requestId, int sequence = 0)
    {
        to.Write("event: error\ndata: "u8);
        AnthropicErrors.Write(to, problem, requestId);
        to.Write("\n\n"u8);
    }
}
