using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Proxy.Responses;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>
/// What a caller is told of a response: the gateway's id of it, what it continues, and whether it is kept. Everything else is as the
/// provider said it.
/// </summary>
/// <param name="Id"><c>resp_</c> and the request's id.</param>
/// <param name="Previous">As the caller named it.</param>
public readonly record struct ToldResponse(string Id, string? Previous)
{
    /// <summary>The end of a stream has the whole answer in one event.</summary>
    const int MaxEventBytes = 128 * 1024 * 1024;

    /// <summary>A response object with these members. What is no object with members stays as it is.</summary>
    public byte[] Rewrite(ReadOnlySpan<byte> response, bool stored)
    {
        var reader = new Utf8JsonReader(response);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return response.ToArray();
        var missing = new Dictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["id"] = JsonSerializer.SerializeToUtf8Bytes(Id),
            ["previous_response_id"] = JsonSerializer.SerializeToUtf8Bytes(Previous),
            ["store"] = JsonSerializer.SerializeToUtf8Bytes(stored),
        };
        var (edits, hasMembers) = (new ByteEdits(), false);
        while (reader.NextMember())
        {
            hasMembers = true;
            var isOurs = missing.Remove(Encoding.UTF8.GetString(reader.ValueSpan), out var text);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.StepOver();
            if (isOurs)
                edits.Replace(start, (int)reader.BytesConsumed - start, text);
        }
        if (!hasMembers)
            return response.ToArray();
        foreach (var (name, text) in missing)
            edits.Insert((int)reader.TokenStartIndex, (byte[])[.. ",\""u8, .. Encoding.ASCII.GetBytes(name), .. "\":"u8, .. text]);
        return edits.Apply(response);
    }

    /// <summary>Whole events of a stream, with each response in them rewritten.</summary>
    public void RewriteEvents(ReadOnlySpan<byte> events, bool stored, IBufferWriter<byte> to)
    {
        using var reader = new SseReader(MaxEventBytes);
        while (reader.TryRead(ref events, out var e))
            RewriteEvent(e, stored, to);
        if (reader.TryReadRest(out var rest))
            RewriteEvent(rest, stored, to);
    }

    void RewriteEvent(scoped SseEvent e, bool stored, IBufferWriter<byte> to)
    {
        var found = e.HasData ? Find(e.Data) : default;
        if (found.Response.Length == 0)
        {
            to.Write(e.Raw);
            return;
        }
        var (place, isFailure) = (found.Response, found.Type.Of(e.Data).SequenceEqual("response.failed"u8));
        SseWriting.WriteHead(to, e, [.. e.Data[..place.Start], .. Rewrite(place.Of(e.Data), stored && !isFailure)]);
        SseWriting.WriteRest(to, e, e.Data[(place.Start + place.Length)..]);
    }

    /// <summary>The last response in whole events of a stream; empty when there is none.</summary>
    public static byte[] LastOf(ReadOnlySpan<byte> events)
    {
        var last = Array.Empty<byte>();
        using var reader = new SseReader(MaxEventBytes);
        while (reader.TryRead(ref events, out var e))
            if (e.HasData && Find(e.Data).Response is { Length: > 0 } place)
                last = place.Of(e.Data).ToArray();
        return last;
    }

    static ResponsesEvent Find(ReadOnlySpan<byte> data)
    {
        try
        {
            return ResponsesEvent.Find(data);
        }
        catch (JsonException)
        {
            return default;
        }
    }
}
