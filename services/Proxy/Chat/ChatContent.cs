using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// The content of a message or of a piece of one, in the forms that servers of this wire send: a text, or an array of parts (Mistral's
/// thoughts, images), which may be nested. Its events are ordered as thoughts, words, images. One instance serves a whole answer, so that a
/// plain piece costs no more than its text.
/// </summary>
sealed class ChatContent
{
    readonly List<AnswerEvent> _others = [];
    string? _thought, _said, _refused;

    public void ReadContent(ref Utf8JsonReader reader) => ReadText(ref reader, ref _said);

    public void ReadRefusal(ref Utf8JsonReader reader) => ReadText(ref reader, ref _refused);

    /// <summary>Servers that send the same thoughts in several members mean them once.</summary>
    public void ReadThought(ref Utf8JsonReader reader)
    {
        if (_thought is null)
            ReadText(ref reader, ref _thought);
        else
            reader.Skip();
    }

    public void Unread(string what) => _others.Add(AnswerEvent.Unread(what));

    /// <summary>Tells what was read, and forgets it.</summary>
    /// <param name="at">Where the calls of the same message begin.</param>
    public void Tell(List<AnswerEvent> to, int at)
    {
        to.InsertRange(at, _others);
        _others.Clear();
        Tell(to, at, AnswerEventKind.Refusal, ref _refused);
        Tell(to, at, AnswerEventKind.Text, ref _said);
        Tell(to, at, AnswerEventKind.Reasoning, ref _thought);
    }

    static void Tell(List<AnswerEvent> to, int at, AnswerEventKind kind, ref string? text)
    {
        if (text is { Length: > 0 })
            to.Insert(at, new(kind, text));
        text = null;
    }

    static void Append(ref string? text, string? more) => text = text is null ? more : text + more;

    /// <param name="text">Receives what is said without a type, or with the type of a text.</param>
    void ReadText(ref Utf8JsonReader reader, ref string? text)
    {
        reader.Read();
        ReadValue(ref reader, ref text);
    }

    void ReadValue(ref Utf8JsonReader reader, ref string? text)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                Append(ref text, reader.Text());
                break;
            case JsonTokenType.StartArray:
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    ReadValue(ref reader, ref text);
                break;
            case JsonTokenType.StartObject:
                ReadPart(ref reader, ref text);
                break;
            case JsonTokenType.Null:
                break;
            default:
                Unread($"content of the JSON type {reader.TokenType}");
                break;
        }
    }

    /// <summary>The members of a part come in any order, so a part is interpreted at its end.</summary>
    void ReadPart(ref Utf8JsonReader reader, ref string? text)
    {
        string? type = null, words = null, address = null;
        while (reader.NextMember())
        {
            if (reader.Has("text"u8) || reader.Has("thinking"u8) || reader.Has("refusal"u8) || reader.Has("summary"u8))
                ReadText(ref reader, ref words);
            else if (reader.Has("image_url"u8))
                address = ReadAddress(ref reader);
            else
            {
                var isType = reader.Has("type"u8);
                reader.Read();
                type = isType ? reader.Text() : type;
                reader.StepOver();
            }
        }
        if (address is not null)
        {
            _others.Add(Image(address));
            return;
        }
        switch (type)
        {
            case "text" or "output_text" or "summary_text":
            case null when words is not null:
                Append(ref text, words);
                break;
            case "thinking" or "reasoning" or "reasoning.text" or "reasoning.summary":
                Append(ref _thought, words);
                break;
            case "refusal":
                Append(ref _refused, words);
                break;
            // Mistral's marks of sources and OpenRouter's sealed thoughts have no words of the answer.
            case "reference" or "reasoning.encrypted":
                break;
            default:
                Unread($"a part of the type '{type}'");
                break;
        }
    }

    /// <summary>An object with the address, or the address.</summary>
    static string? ReadAddress(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.String ? reader.Text() : reader.TextOf("url"u8);
    }

    /// <param name="address">A <c>data:</c> address has the image itself.</param>
    static AnswerEvent Image(string address) =>
        DataUrl.Read(address) is var (mediaType, data) ? AnswerEvent.Picture(mediaType, data) : AnswerEvent.Picture(null, address);
}
