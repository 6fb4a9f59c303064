using System.Diagnostics;
using System.Text.Json;

namespace LlmGateway.Proxy;

/// <summary>
/// Reads what the span of a recorded call says of the answer. That is the model that gave it and, if a setting allows it, its words. Each
/// answer needs its own instance.
/// </summary>
/// <param name="content">Null when words are not recorded.</param>
public sealed class GenAiAnswer(bool stream, GenAiContent? content)
{
    /// <summary>
    /// Most events of a stream in which the model's name is looked for. Every wire has it in the first event, or in one of the next.
    /// </summary>
    const int EventsToLookAt = 4;

    readonly SseReader? _events = stream ? new() : null;
    string? _model;
    int _lookedAt;

    public void See(ReadOnlySpan<byte> answer)
    {
        if (_events is null)
        {
            _model = ModelOf(answer);
            content?.AddWhole(answer);
            return;
        }
        if (content is null && (_model is not null || _lookedAt >= EventsToLookAt))
            return;
        while (_events.TryRead(ref answer, out var e))
        {
            if (!e.HasData || e.IsOversize)
                continue;
            if (_lookedAt++ < EventsToLookAt)
                _model ??= ModelOf(e.Data);
            content?.Add(e);
        }
    }

    public void End(Activity span)
    {
        _events?.Dispose();
        if (_model is not null)
            span.SetTag("gen_ai.response.model", Spans.Word(_model));
        content?.Tell(span);
    }

    /// <summary>
    /// Reads the model's name from a whole answer or one event, null when it has none. The member stands at the top, or at the top of the
    /// <c>message</c> or <c>response</c> that an event wraps. Members of the same name elsewhere are words of the model.
    /// </summary>
    public static string? ModelOf(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            return reader.Read() && reader.TokenType == JsonTokenType.StartObject ? ModelOf(ref reader) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    static string? ModelOf(ref Utf8JsonReader reader)
    {
        while (reader.NextMember())
        {
            var names = reader.CurrentDepth <= 2 && (reader.Has("model"u8) || reader.Has("modelVersion"u8));
            var wraps = reader.CurrentDepth == 1 && (reader.Has("message"u8) || reader.Has("response"u8));
            reader.Read();
            if (names && reader.TokenType == JsonTokenType.String)
                return reader.Text();
            if (wraps && reader.TokenType == JsonTokenType.StartObject)
            {
                if (ModelOf(ref reader) is { } model)
                    return model;
            }
            else
                reader.StepOver();
        }
        return null;
    }
}
