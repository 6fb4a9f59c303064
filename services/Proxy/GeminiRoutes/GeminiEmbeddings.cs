using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.OneShots;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// <c>:embedContent</c> and <c>:batchEmbedContents</c>, paid by input tokens. Google's clients use the second even for one text. Each
/// request of a batch names the model again.
/// </summary>
public sealed class GeminiEmbeddingsWire(string method) : Wire
{
    public override string Name => "Gemini embeddings";
    public override string Kind => "embedding";

    public override bool Speaks(string provider) => provider == ProviderWire.Gemini;

    public override string Path(string upstreamModel, bool stream) => $"{GeminiWire.PathOf(upstreamModel)}:{method}";

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) =>
        new OneShotMeter(new(), "usageMetadata"u8.ToArray(), (json, _) => GeminiUsage.Read(json));

    public override void WriteError(IBufferWriter<byte> to, Problem problem, string requestId) => GeminiError.Write(to, problem, requestId);

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target)
    {
        if (target.Model is not { Length: > 0 and <= ModelRequest.MaxModelName } model)
            throw Invalid("model", $"must be 1 to {ModelRequest.MaxModelName} characters of the address");
        var request = new Request { BodyBytes = body.Length, Model = model };
        var json = new StrictJson(body);
        json.OpenBody();
        var (isBatch, hasContent) = (method == GeminiTarget.EmbedBatch, false);
        if (!isBatch)
            hasContent = ReadOne(ref json, request, "");
        else
        {
            ReadOnlySpan<byte> name = default;
            for (; json.NextMember(ref name); json.Skip())
            {
                ForbiddenMembers.Refuse(name, json.Token);
                if (!name.SequenceEqual("requests"u8))
                    continue;
                if (json.Token != JsonTokenType.StartArray)
                    throw Invalid("requests", "must be an array");
                for (var index = 0; json.NextElement(); index++)
                {
                    if (json.Token != JsonTokenType.StartObject)
                        throw Invalid($"requests[{index}]", "must be an object");
                    hasContent = ReadOne(ref json, request, $"requests[{index}].")
                        ? true
                        : throw new ProblemException(Problems.Missing($"requests[{index}].content"));
                }
            }
        }
        json.Step();
        return hasContent ? request : throw new ProblemException(Problems.Missing(isBatch ? "requests" : "content"));
    }

    /// <summary>Reads one text to embed; false when it has no content.</summary>
    static bool ReadOne(ref StrictJson json, Request request, string path)
    {
        var hasContent = false;
        ReadOnlySpan<byte> name = default;
        for (; json.NextMember(ref name); json.Skip())
        {
            ForbiddenMembers.Refuse(name, json.Token, path);
            if (name.SequenceEqual("model"u8))
            {
                json.ReadText($"{path}model");
                request.Models.Add(new(json.Start, json.End - json.Start));
            }
            else if (name.SequenceEqual("content"u8))
            {
                if (json.Token != JsonTokenType.StartObject)
                    throw Invalid($"{path}content", "must be an object");
                hasContent = true;
                ReadContent(ref json, $"{path}content");
            }
        }
        return hasContent;
    }

    /// <summary>Only texts are accepted: the input cost of an image or film is unknown.</summary>
    static void ReadContent(ref StrictJson json, string path)
    {
        ReadOnlySpan<byte> name = default;
        for (; json.NextMember(ref name); json.Skip())
        {
            if (!name.SequenceEqual("parts"u8))
                continue;
            if (json.Token == JsonTokenType.StartObject)
                ReadPart(ref json, $"{path}.parts");
            else if (json.Token != JsonTokenType.StartArray)
                throw Invalid($"{path}.parts", "must be an array");
            else
                for (var index = 0; json.NextElement(); index++)
                    ReadPart(
                        ref json,
                        json.Token == JsonTokenType.StartObject
                            ? $"{path}.parts[{index}]"
                            : throw Invalid($"{path}.parts[{index}]", "must be an object"));
        }
    }

    static void ReadPart(ref StrictJson json, string path)
    {
        ReadOnlySpan<byte> name = default;
        for (; json.NextMember(ref name); json.Skip())
            if (!name.SequenceEqual("text"u8))
                throw Unpriceable($"{path}.{Encoding.UTF8.GetString(name)}", "only texts have a price");
    }

    sealed class Request : ModelRequest
    {
        public override int? MaxTokens => 0;

        /// <summary>Where the body names the model.</summary>
        public List<Place> Models { get; } = [];

        public override Usage MostUsage(ModelOffer model) => new() { [Meter.Input] = InputBound(0), [Meter.Request] = 1 };

        public override ReadOnlyMemory<byte> Rewrite(
            ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage, bool searches = false,
            bool plainTier = false)
        {
            var edits = new ByteEdits();
            foreach (var place in Models)
                edits.Replace(place.Start, place.Length, Quoted($"models/{GeminiTarget.ModelOf(upstreamModel)}"));
            return edits.IsEmpty ? body : edits.Apply(body.Span);
        }
    }
}
