using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// <c>POST /v1beta/models/{model}:generateContent</c> and <c>:streamGenerateContent</c>, Google's. A provider is always asked for
/// server-sent events.
/// </summary>
public sealed class GeminiWire : ConversationWire
{
    public override string Name => "Gemini";

    public override bool Speaks(string provider) => provider == ProviderWire.Gemini;

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target)
    {
        if (target.Model is not { Length: > 0 and <= ModelRequest.MaxModelName } model)
            throw Invalid("model", $"must be 1 to {ModelRequest.MaxModelName} characters of the address");
        if (model.StartsWith("tunedModels/", StringComparison.Ordinal))
            throw Unpriceable("model", "tuned models have no price");
        var request = GeminiRequestReader.Read(body);
        if (request.ModelValue.Length > 0 && GeminiTarget.ModelOf(request.Model) != GeminiTarget.ModelOf(model))
            throw Invalid("model", "must be the one in the address, or left out");
        (request.Model, request.Stream, request.Sse) = (model, target.Stream, target.Sse);
        return request;
    }

    public override string Path(string upstreamModel, bool stream) =>
        stream ? $"{PathOf(upstreamModel)}:streamGenerateContent?alt=sse" : $"{PathOf(upstreamModel)}:generateContent";

    public override StreamRelay NewRelay(ModelRequest request) => new PassRelay(this, request.StreamsAsArray);

    public override Conversation Understand(ReadOnlySpan<byte> body, ModelRequest request) => GeminiUnderstanding.Of(body);

    public override NameRules NamesOf(string upstreamModel) => NameRules.Gemini;

    protected override byte[] Write(Conversation conversation, string upstreamModel, long outputLimit, bool stream) =>
        GeminiComposer.Compose(conversation, upstreamModel, outputLimit);

    public override AnswerReader NewReader() => new GeminiReader();

    public override AnswerWriter NewWriter(AnswerHead head) => new GeminiWriter(head);

    public override void WriteError(IBufferWriter<byte> to, Problem problem, string requestId) => GeminiError.Write(to, problem, requestId);

    public override void WriteStreamError(IBufferWriter<byte> to, Problem problem, string requestId, int sequence = 0)
    {
        to.Write("data: "u8);
        WriteError(to, problem, requestId);
        to.Write("\n\n"u8);
    }

    /// <summary>The path of a provider's model, up to the colon before the method. The model's name may include the collection.</summary>
    internal static string PathOf(string upstreamModel)
    {
        var inCollection = upstreamModel.StartsWith("models/", StringComparison.Ordinal)
            || upstreamModel.StartsWith("tunedModels/", StringComparison.Ordinal);
        var segments = upstreamModel.Split('/').Select(Uri.EscapeDataString);
        return $"/v1beta/{(inCollection ? "" : "models/")}{string.Join('/', segments)}";
    }
}
