using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// A <c>:countTokens</c> body: <c>contents</c>, or a whole <c>generateContentRequest</c>, which names its model once more. Nothing is priced here, so only what must hold of every
/// body is checked.
/// </summary>
public sealed class GeminiCountRequest
{
    (int Start, int Length) _inner, _model;

    /// <exception cref="ProblemException">The request is refused.</exception>
    public static GeminiCountRequest Read(ReadOnlySpan<byte> body)
    {
        var request = new GeminiCountRequest();
        try
        {
            var json = new StrictJson(body);
            json.Step();
            if (json.Token != JsonTokenType.StartObject)
                throw new ProblemException(Problems.Malformed("The body must be a JSON object."));
            ReadOnlySpan<byte> name = default;
            for (; json.NextMember(ref name); json.Skip())
                if (json.Token == JsonTokenType.StartObject && (name.SequenceEqual("generateContentRequest"u8) || name.SequenceEqual("generate_content_request"u8)))
                    request.ReadInner(ref json);
            json.Step();
        }
        catch (JsonException)
        {
            throw new ProblemException(Problems.Malformed("The body is not valid JSON."));
        }
        return request;
    }

    /// <summary>The part of the body whose texts count.</summary>
    public ReadOnlySpan<byte> Counted(ReadOnlySpan<byte> body) => _inner.Length > 0 ? body.Slice(_inner.Start, _inner.Length) : body;

    public ReadOnlyMemory<byte> Rewrite(ReadOnlyMemory<byte> body, string upstreamModel)
    {
        if (_model.Length == 0)
            return body;
        var edits = new ByteEdits();
        edits.Replace(_model.Start, _model.Length, JsonSerializer.SerializeToUtf8Bytes($"models/{GeminiTarget.ModelOf(upstreamModel)}", Relaxed));
        return edits.Apply(body.Span);
    }

    static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    void ReadInner(ref StrictJson json)
    {
        var start = json.Start;
        ReadOnlySpan<byte> name = default;
        for (; json.NextMember(ref name); json.Skip())
        {
            if (!name.SequenceEqual("model"u8))
                continue;
            json.ReadText("generateContentRequest.model");
            _model = (json.Start, json.End - json.Start);
        }
        _inner = (start, json.End - start);
    }
}
