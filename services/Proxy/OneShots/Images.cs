using System.Text.Json;
using LlmGateway.Contracts;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.OneShots;

/// <summary>
/// <c>POST /v1/images/generations</c>: paid by the image or by tokens. A price by the image is that of a square of at most 1024 × 1024 in standard quality; what costs more than
/// that can be ordered only from models that are priced by tokens.
/// </summary>
public sealed class ImagesWire : Wire
{
    const int MaxImages = 10;

    public override string Name => "OpenAI images";
    public override string Kind => "image";

    public override string Path(string upstreamModel, bool stream) => "/v1/images/generations";

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new OneShotMeter(new() { [Meter.Image] = request.Choices, [Meter.Request] = 1 });

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) => OneShotRequest.Read<Request>(body, "prompt", (request, ref json, name) =>
    {
        if (name.SequenceEqual("n"u8))
            request.Choices = json.ReadCount("n", MaxImages) ?? 1;
        else if (name.SequenceEqual("size"u8) && json.Token != JsonTokenType.Null && !json.IsString("256x256"u8) && !json.IsString("512x512"u8) && !json.IsString("1024x1024"u8))
            request.Dearer = "size";
        else if (name.SequenceEqual("quality"u8) && json.Token != JsonTokenType.Null && !json.IsString("standard"u8) && !json.IsString("low"u8))
            request.Dearer = "quality";
    });

    sealed class Request : OneShotRequest
    {
        /// <summary>A member that makes an image dearer than the standard one.</summary>
        public string? Dearer { get; set; }

        public override Usage MostUsage(ModelOffer model)
        {
            var byTokens = model.Prices?.RateOf(Meter.ImageOutput) is not null;
            if (byTokens && model.MaxOutputTokens == 0)
                throw Unpriceable("model", "its images are priced by tokens, and it has no 'maxOutputTokens'");
            if (!byTokens && Dearer is { } field)
                throw Unpriceable(field, "the model has one price for an image, that of 1024x1024 in standard quality");
            return new()
            {
                [Meter.Input] = InputBound(0), [Meter.Request] = 1, [Meter.Image] = Choices, [Meter.ImageOutput] = byTokens ? checked(Choices * model.MaxOutputTokens) : 0,
            };
        }
    }
}
