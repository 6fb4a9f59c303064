using System.Buffers;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Chat;

/// <summary><c>POST /v1/chat/completions</c>, of OpenAI and servers that imitate it.</summary>
/// <param name="isImitated">The provider imitates OpenAI. Only translated requests differ: many imitators know only <c>max_tokens</c> and
/// ignore <c>max_completion_tokens</c>, so that an answer could exceed the hold, and some want their thoughts back
/// (<see cref="ThoughtMark"/>). OpenAI's reasoning models refuse both. <see cref="ServiceTier"/> is for OpenAI alone.</param>
public sealed class ChatWire(bool isImitated) : ConversationWire
{
    public override string Name => "OpenAI chat";

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) => ChatRequestReader.Read(body);

    public override string Path(string upstreamModel, bool stream) => "/v1/chat/completions";

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new ChatMeter(counts);

    public override StreamRelay NewRelay(ModelRequest request) => new ChatRelay(request, new ChatMeter());

    public override Conversation Understand(ReadOnlySpan<byte> body, ModelRequest request) => ChatUnderstanding.Read(body);

    public override NameRules NamesOf(string upstreamModel) => IsMistral(upstreamModel) ? NameRules.Mistral : NameRules.Chat;

    /// <summary>By the families' names, wherever they are hosted.</summary>
    static bool IsMistral(string model) => Array.Exists(
        ["mistral", "mixtral", "ministral", "codestral", "devstral", "magistral", "pixtral"],
        family => model.Contains(family, StringComparison.OrdinalIgnoreCase));

    protected override byte[] Write(Conversation conversation, string upstreamModel, long outputLimit, bool stream) =>
        JsonPen.Write(json => new ChatComposer(conversation, isImitated, json).WriteBody(upstreamModel, outputLimit, stream));

    public override AnswerReader NewReader() => new ChatReader();

    public override AnswerWriter NewWriter(AnswerHead head) => new ChatWriter(head);

    public override void WriteStreamError(IBufferWriter<byte> to, Problem problem, string requestId, int sequence = 0)
    {
        to.Write("data: "u8);
        WriteError(to, problem, requestId);
        to.Write("\n\ndata: [DONE]\n\n"u8);
    }
}
