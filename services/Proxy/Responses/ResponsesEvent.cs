using System.Text.Json;

namespace LlmGateway.Proxy.Responses;

/// <summary>Where the members that matter stand in an event of a stream. They may come in any order.</summary>
struct ResponsesEvent
{
    /// <summary>The event's type without its quotes.</summary>
    public Place Type;

    /// <summary>Strings have their quotes and objects their braces. A place is empty when its member is absent.</summary>
    public Place Delta, Arguments, Message, Response, Item, Error;

    public int OutputIndex, SummaryIndex, Sequence;

    /// <exception cref="JsonException">It is no JSON object.</exception>
    public static ResponsesEvent Find(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("an event is an object");
        var found = default(ResponsesEvent);
        while (reader.NextMember())
        {
            var name = reader.ValueSpan;
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            var number = 0;
            if (reader.TokenType == JsonTokenType.Number)
                _ = reader.TryGetInt32(out number);
            reader.StepOver();
            var value = new Place(start, (int)reader.BytesConsumed - start);
            found.Take(name, value, number, reader.TokenType);
        }
        reader.Read();
        return found;
    }

    /// <param name="token">The last token of the value.</param>
    void Take(ReadOnlySpan<byte> name, Place value, int number, JsonTokenType token)
    {
        if (token == JsonTokenType.String)
        {
            if (name.SequenceEqual("type"u8))
                Type = new(value.Start + 1, value.Length - 2);
            else if (name.SequenceEqual("delta"u8))
                Delta = value;
            else if (name.SequenceEqual("arguments"u8))
                Arguments = value;
            else if (name.SequenceEqual("message"u8))
                Message = value;
        }
        else if (token == JsonTokenType.EndObject)
        {
            if (name.SequenceEqual("response"u8))
                Response = value;
            else if (name.SequenceEqual("item"u8))
                Item = value;
            else if (name.SequenceEqual("error"u8))
                Error = value;
        }
        else if (token == JsonTokenType.Number)
        {
            if (name.SequenceEqual("output_index"u8))
                OutputIndex = number;
            else if (name.SequenceEqual("summary_index"u8))
                SummaryIndex = number;
            else if (name.SequenceEqual("sequence_number"u8))
                Sequence = number;
        }
    }

    /// <summary>A piece of the event's text.</summary>
    public readonly record struct Place(int Start, int Length)
    {
        public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> json) => json.Slice(Start, Length);

        /// <summary>The string here with its escapes resolved. Null when the member is absent.</summary>
        public string? TextOf(ReadOnlySpan<byte> json)
        {
            if (Length == 0)
                return null;
            var reader = new Utf8JsonReader(Of(json));
            reader.Read();
            return reader.Text();
        }
    }
}
