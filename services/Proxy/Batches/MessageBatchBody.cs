using System.Text;
using System.Text.Json;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Batches;

/// <summary>The body of <c>POST /v1/messages/batches</c>: <c>requests</c>, each with <c>custom_id</c> and <c>params</c>.</summary>
public static class MessageBatchBody
{
    /// <summary>Adds every request to the plan; returns the body for the provider.</summary>
    /// <exception cref="ProblemException">The batch is refused; the message names the field.</exception>
    public static ReadOnlyMemory<byte> Read(ReadOnlyMemory<byte> body, BatchPlan plan)
    {
        try
        {
            return ReadBody(body, plan);
        }
        catch (JsonException e)
        {
            throw new ProblemException(Problems.NotValidJson(e));
        }
    }

    static ReadOnlyMemory<byte> ReadBody(ReadOnlyMemory<byte> body, BatchPlan plan)
    {
        var json = new StrictJson(body.Span);
        json.OpenBody();
        var edits = new ByteEdits();
        ReadOnlySpan<byte> name = default;
        while (json.NextMember(ref name))
        {
            if (!name.SequenceEqual("requests"u8))
                throw Unpriceable(Encoding.UTF8.GetString(name), "a batch has 'requests' and nothing else");
            if (json.Token != JsonTokenType.StartArray)
                throw Invalid("requests", "must be an array");
            for (var index = 0; json.NextElement(); index++)
                ReadRequest(ref json, index, body, plan, edits);
        }
        json.Step();
        if (plan.Route is null)
            throw new ProblemException(Problems.Missing("requests"));
        return edits.IsEmpty ? body : edits.Apply(body.Span);
    }

    static void ReadRequest(ref StrictJson json, int index, ReadOnlyMemory<byte> body, BatchPlan plan, ByteEdits edits)
    {
        var at = $"requests[{index}].";
        if (json.Token != JsonTokenType.StartObject)
            throw Invalid($"requests[{index}]", "must be an object");
        var (id, start, length) = ((string?)null, 0, 0);
        ReadOnlySpan<byte> name = default;
        while (json.NextMember(ref name))
        {
            if (name.SequenceEqual("custom_id"u8))
                id = json.ReadText($"{at}custom_id");
            else if (name.SequenceEqual("params"u8))
            {
                start = json.Start;
                json.Skip();
                length = json.End - start;
            }
            else
                throw Unpriceable(
                    $"{at}{Encoding.UTF8.GetString(name)}", "a request of a batch has 'custom_id' and 'params' and nothing else");
        }
        if (length == 0)
            throw new ProblemException(Problems.Missing($"{at}params"));
        var sent = plan.Add(at, id, "params", body.Slice(start, length));
        if (!sent.Span.SequenceEqual(body.Span.Slice(start, length)))
            edits.Replace(start, length, sent);
    }
}
