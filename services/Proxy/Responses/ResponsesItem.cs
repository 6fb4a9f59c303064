using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// One item of an answer's output: a message, thoughts or a call. Items of other kinds are left empty: only tools make them, and such tools
/// cannot be asked for.
/// </summary>
sealed class ResponsesItem
{
    public bool IsCall { get; private set; }
    public string? CallId { get; private set; }
    public string? Name { get; private set; }
    public string? Arguments { get; private set; }

    /// <summary>Thoughts that the provider encrypted.</summary>
    public string? Seal { get; private set; }

    public List<(AnswerEventKind Kind, string Text)> Texts { get; } = [];

    /// <param name="json">An object.</param>
    public static ResponsesItem Read(ReadOnlySpan<byte> json)
    {
        var item = new ResponsesItem();
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.NextMember())
        {
            if (reader.Has("type"u8))
            {
                reader.Read();
                item.IsCall = reader.TokenType == JsonTokenType.String && reader.Has("function_call"u8);
                reader.StepOver();
            }
            else if (reader.Has("content"u8) || reader.Has("summary"u8))
                item.ReadParts(ref reader);
            else
                item.ReadMember(ref reader);
        }
        return item;
    }

    void ReadMember(ref Utf8JsonReader reader)
    {
        var (isId, isName) = (reader.Has("call_id"u8), reader.Has("name"u8));
        var (isArguments, isSeal) = (reader.Has("arguments"u8), reader.Has("encrypted_content"u8));
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
            reader.StepOver();
        else if (isId)
            CallId = reader.Text();
        else if (isName)
            Name = reader.Text();
        else if (isArguments)
            Arguments = reader.Text();
        else if (isSeal)
            Seal = reader.Text();
    }

    void ReadParts(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.StepOver();
            return;
        }
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
                ReadPart(ref reader);
            else
                reader.StepOver();
        }
    }

    void ReadPart(ref Utf8JsonReader reader)
    {
        var kind = AnswerEventKind.Text;
        string? text = null;
        while (reader.NextMember())
        {
            var (isType, isText) = (reader.Has("type"u8), reader.Has("text"u8) || reader.Has("refusal"u8));
            reader.Read();
            if (isType && reader.TokenType == JsonTokenType.String)
                kind = reader.Has("summary_text"u8) || reader.Has("reasoning_text"u8) ? AnswerEventKind.Reasoning
                    : reader.Has("refusal"u8) ? AnswerEventKind.Refusal
                    : AnswerEventKind.Text;
            else if (isText && reader.TokenType == JsonTokenType.String)
                text = reader.Text();
            else
                reader.StepOver();
        }
        if (text is not { Length: > 0 })
            return;
        // Paragraphs of a summary are parts, as in a stream.
        if (kind == AnswerEventKind.Reasoning && Texts.Count > 0)
            Texts.Add((kind, "\n\n"));
        Texts.Add((kind, text));
    }
}
