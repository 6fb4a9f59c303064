using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Batches;

/// <summary>The lines of a file for <c>POST /v1/batches</c>: each a request with <c>custom_id</c>, <c>method</c>, <c>url</c> and <c>body</c>, all for one address.</summary>
public static class BatchFile
{
    const string Offered = "'/v1/chat/completions', '/v1/responses' or '/v1/embeddings'";

    /// <summary>What the lines may cost, and the file for the provider.</summary>
    /// <exception cref="ProblemException">A line is refused; the message names its number and the field.</exception>
    public static (BatchPlan Plan, ReadOnlyMemory<byte> Sent) Read(ReadOnlyMemory<byte> file, Caller caller)
    {
        BatchPlan? plan = null;
        var sent = new ArrayBufferWriter<byte>(file.Length + 1024);
        var url = "";
        for (int start = 0, number = 1; start < file.Length; number++)
        {
            var feed = file.Span[start..].IndexOf((byte)'\n');
            var line = file[start..(feed < 0 ? file.Length : start + feed)].Trim(" \r\t"u8);
            start = feed < 0 ? file.Length : start + feed + 1;
            if (line.IsEmpty)
                continue;
            var place = $"line {number}";
            try
            {
                Add(line, $"{place}: ", caller, ref plan, ref url, sent);
            }
            catch (JsonException)
            {
                throw new ProblemException(Problems.Malformed($"'{place}' is not valid JSON.") with { Param = place });
            }
            catch (ProblemException e) when (e.Problem.Param?.StartsWith(place, StringComparison.Ordinal) != true)
            {
                throw new ProblemException(BatchPlan.Within(place, ": ", e.Problem));
            }
        }
        return plan is null ? throw Invalid("file", "must have at least one line") : (plan, sent.WrittenMemory);
    }

    static void Add(ReadOnlyMemory<byte> line, string at, Caller caller, ref BatchPlan? plan, ref string url, IBufferWriter<byte> sent)
    {
        var json = new StrictJson(line.Span);
        json.Step();
        if (json.Token != JsonTokenType.StartObject)
            throw new ProblemException(Problems.Malformed("A line must be a JSON object."));
        var (id, method, address, start, length) = ((string?)null, (string?)null, (string?)null, 0, 0);
        ReadOnlySpan<byte> name = default;
        while (json.NextMember(ref name))
        {
            if (name.SequenceEqual("custom_id"u8))
                id = json.ReadText($"{at}custom_id");
            else if (name.SequenceEqual("method"u8))
                method = json.ReadText($"{at}method");
            else if (name.SequenceEqual("url"u8))
                address = json.ReadText($"{at}url");
            else if (name.SequenceEqual("body"u8))
            {
                start = json.Start;
                json.Skip();
                length = json.End - start;
            }
            else
                throw Unpriceable($"{at}{Encoding.UTF8.GetString(name)}", "a line has 'custom_id', 'method', 'url' and 'body' and nothing else");
        }
        json.Step();
        if (method != "POST")
            throw Invalid($"{at}method", "must be 'POST'");
        if (address is null or "/v1/messages" || BatchWires.Of(address) is null)
            throw Invalid($"{at}url", $"must be {Offered}");
        if (plan is null)
            (plan, url) = (new BatchPlan(caller, address), address);
        if (address != url)
            throw Invalid($"{at}url", $"must be '{url}' like that of the first line");
        if (length == 0)
            throw new ProblemException(Problems.Missing($"{at}body"));
        sent.Write(line.Span[..start]);
        sent.Write(plan.Add(at, id, "body", line.Slice(start, length)).Span);
        sent.Write(line.Span[(start + length)..]);
        sent.Write("\n"u8);
    }
}
