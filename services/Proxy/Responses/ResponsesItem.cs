using System.Text;
using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// One item of an answer's output: a message, thoughts, a call or an image. An item of another kind is made by a tool that a translated
/// request cannot ask for.
/// </summary>
sealed class ResponsesItem
{
    public bool IsCall => Type == "function_call";

    public string? Type { get; private set; }

    /// <summary>An image in base64.</summary>
    public string? Image { get; private set; }

    /// <summary>True for an item whose content has a place in neutral terms.</summary>
    public bool IsKnown => Type is null or "message" or "reasoning" or "function_call" or "compaction"
        || (Type == "image_generation_call" && Image is not null);

    /// <summary>True for a search of the web by the provider. Opening a page that it found is none.</summary>
    public bool IsSearch => Type == "web_search_call" && !_doesOther;

    public string? CallId { get; private set; }
    public string? Name { get; private set; }
    public string? Arguments { get; private set; }

    /// <summary>The provider's signature of thoughts, which may be the thoughts themselves, encrypted.</summary>
    public string? Signature { get; private set; }

    public List<(AnswerEventKind Kind, string Text)> Texts { get; } = [];

    // The item has an action, which is no search.
    bool _doesOther;

    /// <param name="json">An object.</param>
    public static ResponsesItem Read(ReadOnlySpan<byte> json)
    {
        var item = new ResponsesItem();
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.NextMember())
        {
            if (reader.Has("content"u8) || reader.Has("summary"u8))
                item.ReadParts(ref reader);
            else if (reader.Has("action"u8))
                item.ReadAction(ref reader);
            else
                item.ReadMember(ref reader, json);
        }
        return item;
    }

    void ReadMember(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        var (isType, isImage) = (reader.Has("type"u8), reader.Has("result"u8));
        var (isId, isName) = (reader.Has("call_id"u8), reader.Has("name"u8));
        var (isArguments, isSignature) = (reader.Has("arguments"u8), reader.Has("encrypted_content"u8));
        reader.Read();
        if (isArguments && reader.TokenType == JsonTokenType.StartObject)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            Arguments = Encoding.UTF8.GetString(json[start..(int)reader.BytesConsumed]);
        }
        else if (reader.TokenType != JsonTokenType.String)
            reader.StepOver();
        else if (isType)
            Type = reader.Text();
        else if (isImage)
            Image = reader.Text();
        else if (isId)
            CallId = reader.Text();
        else if (isName)
            Name = reader.Text();
        else if (isArguments)
            Arguments = reader.Text();
        else if (isSignature)
            Signature = reader.Text();
    }

    void ReadAction(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.StepOver();
            return;
        }
        while (reader.NextMember())
        {
            var isType = reader.Has("type"u8);
            reader.Read();
            _doesOther |= isType && reader.TokenType == JsonTokenType.String && !reader.Has("search"u8);
            reader.StepOver();
        }
    }

    void ReadParts(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
            Texts.Add((AnswerEventKind.Text, reader.Text()));
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
