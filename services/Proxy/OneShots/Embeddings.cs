using System.Text.Json;
using LlmGateway.Contracts;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.OneShots;

/// <summary><c>POST /v1/embeddings</c>: paid by input tokens. Texts and token numbers alike have no more tokens than bytes.</summary>
public sealed class EmbeddingsWire : Wire
{
    public override string Name => "OpenAI embeddings";
    public override string Kind => "embedding";

    public override string Path(string upstreamModel, bool stream) => "/v1/embeddings";

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new OneShotMeter(new());

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) => OneShotRequest.Read<Request>(body, "input", (_, ref json, name) =>
    {
        if (name.SequenceEqual("input"u8) && json.Token is not (JsonTokenType.String or JsonTokenType.StartArray))
            throw Invalid("input", "must be a string or an array");
    });

    sealed class Request : OneShotRequest
    {
        public override Usage MostUsage(ModelOffer model) => new() { [Meter.Input] = InputBound(0), [Meter.Request] = 1 };
    }
}
