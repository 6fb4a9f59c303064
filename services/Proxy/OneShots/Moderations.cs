using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.OneShots;

/// <summary>
/// <c>POST /v1/moderations</c>. Without a model it takes the project's first one of this kind. It is paid by the request or by input
/// tokens; no provider reports those, so they are counted here and marked as estimated.
/// </summary>
public sealed class ModerationsWire : Wire
{
    public override string Name => "OpenAI moderations";
    public override string Kind => "moderation";

    public override string Path(string upstreamModel, bool stream) => "/v1/moderations";

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new OneShotMeter(new());

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) =>
        OneShotRequest.Read<Request>(body, "input", needsModel: false, readMember: (request, ref json, name) =>
    {
        if (!name.SequenceEqual("input"u8) || json.Token == JsonTokenType.String)
            return;
        if (json.Token != JsonTokenType.StartArray)
            throw Invalid("input", "must be a string or an array");
        while (json.NextElement())
        {
            // An array of strings, or of parts like those of a chat message.
            ReadOnlySpan<byte> part = default;
            if (json.Token == JsonTokenType.StartObject)
                while (json.NextMember(ref part))
                {
                    if (part.SequenceEqual("type"u8) && !json.IsString("text"u8))
                        request.Images += json.IsString("image_url"u8)
                            ? 1
                            : throw Unpriceable("input", $"only texts and images have a price, not '{Encoding.UTF8.GetString(json.Raw)}'");
                    json.Skip();
                }
            else
                json.Skip();
        }
    });

    sealed class Request : OneShotRequest
    {
        public override Usage MostUsage(ModelOffer model) => new() { [Meter.Input] = InputBound(0), [Meter.Request] = 1 };
    }
}
