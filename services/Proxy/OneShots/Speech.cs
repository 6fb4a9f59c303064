using System.Text.Json;
using LlmGateway.Contracts;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.OneShots;

/// <summary><c>POST /v1/audio/speech</c>: paid by the character of the text. The answer is sound, and has no usage.</summary>
public sealed class SpeechWire : Wire
{
    /// <summary>What the vendor takes, in characters.</summary>
    const int MaxInput = 4096;

    public override string Name => "OpenAI speech";
    public override string Kind => "audio";

    public override string Path(string upstreamModel, bool stream) => "/v1/audio/speech";

    public override string? AnswerType(string? provided) => provided?.StartsWith("audio/", StringComparison.Ordinal) == true ? provided : null;

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new SoundMeter(((Request)request).Characters);

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) => OneShotRequest.Read<Request>(body, "input", (request, ref json, name) =>
    {
        if (name.SequenceEqual("input"u8))
            request.Characters = json.ReadText("input") is { Length: > 0 and <= MaxInput } text ? text.EnumerateRunes().Count() : throw Invalid("input", $"must be a text of 1 to {MaxInput} characters");
        else if (name.SequenceEqual("stream_format"u8) && !json.IsString("audio"u8) && json.Token != JsonTokenType.Null)
            throw Invalid("stream_format", "must be 'audio'");
    });

    sealed class Request : OneShotRequest
    {
        public int Characters { get; set; }

        public override Usage MostUsage(ModelOffer model) => new() { [Meter.Characters] = Characters, [Meter.Request] = 1 };
    }

    sealed class SoundMeter(int characters) : WholeMeter
    {
        public override long DeliveredTokens => 0;

        public override bool See(ReadOnlySpan<byte> answer)
        {
            Usage = new(new() { [Meter.Characters] = characters, [Meter.Request] = 1 }, null, null);
            return answer.Length > 0;
        }
    }
}
