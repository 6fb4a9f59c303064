using System.Text;

namespace LlmGateway.Contracts.Expressions;

/// <summary>Server-sent events as values.</summary>
static class Events
{
    /// <summary>What an event takes in memory beside its texts, in steps.</summary>
    const int Steps = 5;

    public static Value Of(KeptEvent e) => Of(Value.OfBytes(e.Name), Value.OfBytes(e.Data), Value.OfBytes(e.Id));

    static Value Of(Value name, Value data, Value id) =>
        Value.Of(new Dictionary<string, Value> { ["event"] = Plain(name), ["data"] = Plain(data), ["id"] = Plain(id) });

    /// <summary>Data and lines are as long as their characters; only a whole response is as long as its bytes. Null stays null.</summary>
    public static Value Plain(Value text) => text.IsNull ? text : Value.Of(text.Text);

    /// <summary>All events of a text.</summary>
    public static Value Of(Evaluation run, ReadOnlySpan<byte> text, Node at)
    {
        var events = new List<Value>();
        Read(run, at, text, e => events.Add(Of(Value.Of(Text(e.Name)), Value.Of(Text(e.Data)), Value.Of(Text(e.Id)))));
        return Value.Of(events.ToArray());
    }

    /// <summary>The last data that is neither empty nor <c>[DONE]</c>; an empty text where there is none.</summary>
    public static Value LastData(Evaluation run, Node at, ReadOnlySpan<byte> text)
    {
        var last = "";
        Read(run, at, text, e => last = e.HasData ? Text(e.Data) : last);
        return Value.Of(last);
    }

    /// <summary>The data of all events that have some, joined by line feeds.</summary>
    public static Value AllData(Evaluation run, Node at, ReadOnlySpan<byte> text)
    {
        var all = new StringBuilder();
        Read(run, at, text, e =>
        {
            if (!e.Data.IsEmpty)
                all.Append(all.Length > 0 ? "\n" : "").Append(Text(e.Data));
        });
        return Value.Of(all.ToString());
    }

    /// <summary>An event as it stands in a stream.</summary>
    public static string Write(KeptEvent e)
    {
        var name = e.Name.IsEmpty ? "" : $"event: {Text(e.Name.Span)}\n";
        var id = e.Id.IsEmpty ? "" : $"id: {Text(e.Id.Span)}\n";
        return $"{name}{id}data: {Text(e.Data.Span).Replace("\n", "\ndata: ", StringComparison.Ordinal)}\n\n";
    }

    delegate void Seen(scoped StreamEvent e);

    static void Read(Evaluation run, Node at, ReadOnlySpan<byte> text, Seen seen)
    {
        if (!run.SpendText(text.Length, at))
            return;
        var reader = new EventLines();
        while (reader.TryRead(ref text, out var e))
            if (!See(e))
                return;
        if (reader.TryReadRest(out var rest))
            See(rest);

        bool See(scoped StreamEvent e)
        {
            if (e.IsOversize)
                run.Fail(Failure.TooLarge, at, $"An event is larger than {ResponseCollector.MaxEventBytes} bytes.");
            var isKept = run.Spend(Steps, at) && run.Keep(e.Name.Length + e.Data.Length + e.Id.Length, at);
            if (isKept)
                seen(e);
            return isKept;
        }
    }

    static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);
}
