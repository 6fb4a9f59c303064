using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// A <c>:countTokens</c> body: <c>contents</c>, or a whole <c>generateContentRequest</c> that names its model again. Nothing is priced
/// here, so only the general rules for bodies are checked.
/// </summary>
public sealed class CountRequest
{
    /// <summary>Two spellings of the member could name two models, of which only one would be replaced.</summary>
    static readonly GeminiFields Fields = new(new GeminiField("generateContentRequest"));

    (int Start, int Length) _inner, _model;

    /// <exception cref="ProblemException">The request is refused.</exception>
    /// <exception cref="JsonException">The body is no JSON.</exception>
    public static CountRequest Read(ReadOnlySpan<byte> body)
    {
        var request = new CountRequest();
        var json = new StrictJson(body);
        json.OpenBody();
        ReadOnlySpan<byte> name = default;
        for (var seen = 0; json.NextMember(ref name); json.Skip())
        {
            if (Fields.Find(name) is null)
                ForbiddenMembers.Refuse(name, json.Token);
            else if (seen++ > 0)
                throw Invalid(Encoding.UTF8.GetString(name), "stands there in more than one spelling");
            else if (json.Token == JsonTokenType.StartObject)
                request.ReadInner(ref json);
        }
        json.Step();
        return request;
    }

    /// <summary>The part of the body whose texts are counted.</summary>
    public ReadOnlyMemory<byte> Counted(ReadOnlyMemory<byte> body) => _inner.Length > 0 ? body.Slice(_inner.Start, _inner.Length) : body;

    public ReadOnlyMemory<byte> Rewrite(ReadOnlyMemory<byte> body, string upstreamModel)
    {
        if (_model.Length == 0)
            return body;
        var edits = new ByteEdits();
        edits.Replace(
            _model.Start, _model.Length, JsonSerializer.SerializeToUtf8Bytes($"models/{GeminiTarget.ModelOf(upstreamModel)}", Relaxed));
        return edits.Apply(body.Span);
    }

    static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    void ReadInner(ref StrictJson json)
    {
        var start = json.Start;
        ReadOnlySpan<byte> name = default;
        for (; json.NextMember(ref name); json.Skip())
        {
            ForbiddenMembers.Refuse(name, json.Token, "generateContentRequest.");
            if (!name.SequenceEqual("model"u8))
                continue;
            json.ReadText("generateContentRequest.model");
            _model = (json.Start, json.End - json.Start);
        }
        _inner = (start, json.End - start);
    }
}
